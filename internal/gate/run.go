package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/finding"
)

// Names of the variables that a command gets besides those that it lists.
const (
	variableGate      = "ARTIFACTCTL_GATE"
	variableApp       = "ARTIFACTCTL_APP"
	variableManifests = "ARTIFACTCTL_MANIFESTS"
)

// Placeholders in arguments.
const (
	placeholderManifests = "{manifests}"
	placeholderApp       = "{app}"
)

// ruleRefused is the rule of a refusal that has no other.
const ruleRefused = "refused"

func (r *Run) timeout() time.Duration { return cmp.Or(r.Timeout, DefaultTimeout) }
func (r *Run) memory() int64          { return cmp.Or(r.Memory, DefaultMemory) }
func (r *Run) scope() Scope           { return cmp.Or(r.Scope, PerApp) }
func (r *Run) format() Format         { return cmp.Or(r.Format, Text) }

// validate checks the options.
func (r *Run) validate() error {
	switch {
	case len(r.Command) == 0 || r.Command[0] == "":
		return errors.New("the command is empty")
	case !filepath.IsAbs(r.Dir):
		return fmt.Errorf("the working directory %q has to be absolute", r.Dir)
	case r.scope() != PerApp && r.scope() != PerFleet:
		return fmt.Errorf("unknown scope %q", r.Scope)
	case !slices.Contains([]Format{Text, Conftest, Sarif}, r.format()):
		return fmt.Errorf("unknown format %q", r.Format)
	case r.Timeout < 0:
		return fmt.Errorf("the timeout %s is negative", r.Timeout)
	case r.scope() == PerFleet && slices.ContainsFunc(r.Command, func(a string) bool { return strings.Contains(a, placeholderApp) }):
		return errors.New("there is no {app} for a gate that looks at the whole fleet")
	}
	for _, name := range r.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") {
			return fmt.Errorf("%q is no name of a variable", name)
		}
	}
	return nil
}

// sheet is the copy of manifests that a command is shown: one file for an app, and in a fleet a directory with a file
// for each app.
type sheet struct {
	dir     string // removed when the command has ended
	path    string // the file or directory that the command is told
	stdin   string // the file that is its standard input
	fleet   bool
	digests map[string]string // of the files in dir, by name
}

// newSheet makes a copy below scratch. Files cannot be written to, as far as permissions are heeded.
func newSheet(scratch string, fleet bool) (*sheet, error) {
	dir, err := os.MkdirTemp(scratch, "gate-")
	if err != nil {
		return nil, err
	}
	return &sheet{dir: dir, fleet: fleet, digests: map[string]string{}}, nil
}

func (s *sheet) add(name string, content []byte) error {
	path := filepath.Join(s.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	s.digests[name] = found(content).digest
	return os.WriteFile(path, content, 0o400)
}

// altered returns the name of a file that is not what it was.
func (s *sheet) altered() string {
	for name, digest := range s.digests {
		now, err := digestFile(filepath.Join(s.dir, filepath.FromSlash(name)))
		if err != nil || now != digest {
			return name
		}
	}
	return ""
}

func (s *sheet) remove() { _ = os.RemoveAll(s.dir) }

// Names in a sheet.
const (
	streamFile = "manifests.yaml"
	fleetDir   = "apps"
)

// sheetOf copies one app.
func sheetOf(scratch string, content []byte) (*sheet, error) {
	s, err := newSheet(scratch, false)
	if err != nil {
		return nil, err
	}
	s.path = filepath.Join(s.dir, streamFile)
	s.stdin = s.path
	if err := s.add(streamFile, content); err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

// sheetOfFleet copies apps, one after another.
func sheetOfFleet(ctx context.Context, scratch string, apps []App) (*sheet, error) {
	s, err := newSheet(scratch, true)
	if err != nil {
		return nil, err
	}
	s.path, s.stdin = filepath.Join(s.dir, fleetDir), filepath.Join(s.dir, streamFile)
	if err := s.addAll(ctx, apps); err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

func (s *sheet) addAll(ctx context.Context, apps []App) error {
	if err := os.Mkdir(s.path, 0o700); err != nil {
		return err
	}
	all, err := os.OpenFile(s.stdin, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = all.Close() }()
	for i, app := range apps {
		files, err := app.load(ctx)
		if err != nil {
			return err
		}
		content := newStream(files).content
		if err := s.add(fleetDir+"/"+app.Name+".yaml", content); err != nil {
			return err
		}
		if i > 0 {
			_, err = all.WriteString("---\n")
		}
		if err == nil {
			_, err = all.Write(append(slices.Clip(content), '\n'))
		}
		if err != nil {
			return err
		}
	}
	return all.Close()
}

// judge runs the command on a sheet and returns what it says. The error says why there is no verdict.
func (r *Run) judge(ctx context.Context, gate, app string, s *sheet) ([]finding.Finding, error) {
	stdin, err := os.Open(s.stdin)
	if err != nil {
		return nil, err
	}
	defer func() { _ = stdin.Close() }()
	env := []string{variableGate + "=" + gate, variableManifests + "=" + s.path}
	pairs := []string{placeholderManifests, s.path}
	if !s.fleet {
		env = append(env, variableApp+"="+app)
		pairs = append(pairs, placeholderApp, app)
	}
	ended, err := call{Run: r, args: r.expand(pairs...), env: r.environment(env...), stdin: stdin}.do(ctx)
	if err != nil {
		return nil, err
	}
	findings, err := ended.findings(r)
	if err != nil {
		return nil, err
	}
	if name := s.altered(); name != "" {
		return nil, &failed{what: fmt.Sprintf("%s has altered its copy of %s: what it judged is not what would be published", r.Command[0], name),
			hint: "a gate only looks; change manifests where they are rendered"}
	}
	return findings, nil
}

// shownTo returns the part of an app's files that a command gets, and a way to find places in it.
func shownTo(files artifact.Files) *places {
	s := newStream(files)
	return &places{stream: s, files: files}
}

// places finds files and objects by the line of a stream.
type places struct {
	stream
	files   artifact.Files
	objects map[string][]object // parsed files
}

// fill makes the line of a finding one of a file, and names the object there.
func (p *places) fill(f *finding.Finding) {
	if f.Line <= 0 {
		f.Line = 0
		if len(p.begins) == 1 {
			f.File = p.begins[0].file
		}
		return
	}
	f.File, f.Line = p.place(f.Line)
	if f.File == "" {
		f.Line = 0
		return
	}
	if p.objects == nil {
		p.objects = map[string][]object{}
	}
	if _, parsed := p.objects[f.File]; !parsed {
		p.objects[f.File], _ = parse(f.File, p.files[f.File])
	}
	if f.Object == "" {
		f.Object = finding.Clean(objectAt(p.objects[f.File], f.Line))
	}
}
