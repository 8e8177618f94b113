package worker

import (
	"errors"
	"io"
	"path/filepath"
	"regexp"
	"strings"

	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/artifactctl/artifactctl/internal/render/fault"
)

// story is what is known about a build that failed.
type story struct {
	setup   Setup
	request Request
	jail    *jail
	trail   *trail
}

// Words of kustomize by which its errors are known: it has no types for them, or flattens them into text on the way.
const (
	saysOutside   = "is outside of the root"
	saysOffline   = "remote files are off"
	saysNoGit     = "no 'git' program on path"
	saysNoHelm    = "must specify --enable-helm"
	saysNoPlugin  = "external plugins disabled"
	saysSchema    = "invalid schema file"
	saysVersion   = "OpenAPI version is not built in"
	saysBoth      = "builtin version and custom schema provided"
	saysTwo       = "Found multiple kustomization files under"
	saysNone      = "unable to find one of 'kustomization.yaml'"
	saysInvalid   = "invalid Kustomization"
	saysKind      = "Failed to read kustomization file under"
	saysBlank     = "kustomization.yaml is empty"
	saysMalformed = "MalformedYAMLError"
	saysAbsent    = "no such file or directory"
)

// reason classifies the text of an error. The order matters: kustomize tries a path as file and as directory, and
// tells about both.
func (s *story) reason(text string) fault.Reason {
	says := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(text, w) {
				return true
			}
		}
		return false
	}
	switch {
	case s.jail.refused > 0 && says(saysOutside):
		return fault.Outside
	case !s.setup.Network && says(saysOffline, saysNoGit):
		return fault.Remote
	case says(saysNoHelm):
		return fault.Helm
	case says(saysNoPlugin):
		return fault.Plugin
	case says(saysSchema, saysVersion, saysBoth):
		return fault.OpenAPI
	case says(saysTwo):
		return fault.Duplicate
	case says(saysInvalid, saysKind, saysBlank, saysMalformed):
		return fault.Syntax
	case says(saysNone, saysAbsent):
		return fault.Missing
	}
	return fault.Invalid
}

// explain makes the error that leaves the worker: where, what in kustomize's words, and why as far as known.
func (s *story) explain(err error) *fault.Error {
	var known *fault.Error
	if errors.As(err, &known) {
		return &fault.Error{Reason: known.Reason, File: s.top(), Message: known.Message}
	}
	text := err.Error()
	e := &fault.Error{Reason: s.reason(text), File: s.top()}
	if errors.As(err, new(*panicked)) && e.Reason != fault.OpenAPI {
		e.Reason = fault.Crash
	}
	switch {
	case e.Reason != fault.Syntax:
	case strings.Contains(text, saysMalformed):
		text = s.locate(e, text)
	default: // of the kustomization that was read last: nothing else was read since
		e.File = s.words(s.trail.kustomization)
		e.Line = fault.KustomizationLine(text, s.trail.content)
	}
	e.Message = s.words(text)
	return e
}

// top names the kustomization of the app, or its directory when there is none.
func (s *story) top() string {
	path := s.trail.topName
	if path == "" {
		path = s.request.Dir
	}
	return s.words(path)
}

// locate finds the place of malformed YAML in the file that was read last. Kustomize counts lines from the begin of a
// document; a file may have many.
func (s *story) locate(e *fault.Error, text string) string {
	e.File = s.words(s.trail.last)
	content, err := s.jail.ReadFile(s.trail.last)
	if err != nil {
		return text
	}
	before := 0 // lines before the document
	lines := strings.Split(string(content), "\n")
	for i := 0; i <= len(lines); i++ {
		if i < len(lines) && !strings.HasPrefix(lines[i], "---") {
			continue
		}
		document := strings.Join(lines[before:i], "\n")
		if err := kyaml.NewDecoder(strings.NewReader(document)).Decode(&kyaml.Node{}); err != nil && !errors.Is(err, io.EOF) {
			if line := fault.YAMLLine(err.Error()); line > 0 {
				e.Line = before + line
				return fault.ReplaceYAMLLine(text, e.Line)
			}
			return text
		}
		before = min(i+1, len(lines))
	}
	return text
}

var cloneName = regexp.MustCompile(`^/kustomize-(helm-)?\d+`)

// words makes kustomize's text fit for other machines: paths relative to the root, no names of temporary directories,
// no user names and passwords in URLs.
func (s *story) words(text string) string {
	for i := len(s.jail.cells) - 1; i >= 0; i-- { // the scratch directory first
		c := s.jail.cells[i]
		with := func(rest string) (string, string) { return ".", rest }
		if i > 0 {
			with = func(rest string) (string, string) { return "<clone>", rest[len(cloneName.FindString(rest)):] }
		}
		if c.alias != "" {
			text = shorten(text, c.alias, with)
		}
		text = shorten(text, c.dir, with)
		if c.given != c.dir {
			text = shorten(text, c.given, with)
		}
	}
	return strings.TrimSpace(fault.Redact(filepath.ToSlash(text)))
}

// shorten replaces dir, wherever it stands as a whole path or the beginning of one. with gets the text after dir and
// returns the replacement and what remains; "." before a slash is left out.
func shorten(text, dir string, with func(rest string) (string, string)) string {
	if dir == string(filepath.Separator) {
		return text
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, dir)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		if before != "" && inPath(before[len(before)-1]) || rest != "" && rest[0] != '/' && inPath(rest[0]) {
			b.WriteString(dir)
			text = rest
			continue
		}
		name, rest := with(rest)
		if name == "." && len(rest) > 1 && rest[0] == '/' && inPath(rest[1]) {
			name, rest = "", rest[1:]
		}
		b.WriteString(name)
		text = rest
	}
}

// inPath tells whether a byte continues a path rather than ending it.
func inPath(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c >= 0x80:
		return true
	}
	return strings.IndexByte("/._-+@~", c) >= 0
}
