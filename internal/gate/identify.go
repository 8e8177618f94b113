package gate

import (
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// buildNote is the section in which the Go linker notes the build ID: a hash of what the executable is made of.
const buildNote = ".note.go.buildid"

// identifySelf returns what tells this executable from others: its build ID, or the digest of all of it.
func identifySelf() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", err
	}
	if program, err := elf.Open(path); err == nil {
		defer func() { _ = program.Close() }()
		if section := program.Section(buildNote); section != nil {
			if note, err := section.Data(); err == nil && len(note) > 0 {
				return "go:" + string(note), nil
			}
		}
	}
	return digestFile(path)
}

func digestFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(hash.Sum(nil)), nil
}

// executable returns the absolute path of the program of a command.
func (r *Run) executable() (string, error) {
	name := r.Command[0]
	if strings.ContainsRune(filepath.ToSlash(name), '/') && !filepath.IsAbs(name) {
		name = filepath.Join(r.Dir, name)
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", &missing{program: r.Command[0], err: err}
	}
	return filepath.Abs(path)
}

// missing is a program that cannot be found or run.
type missing struct {
	program string
	err     error
}

func (m *missing) Error() string {
	why := m.err
	var lookup *exec.Error
	if errors.As(m.err, &lookup) {
		why = reason(lookup.Err)
	}
	return fmt.Sprintf("find %s: %v", m.program, why)
}

func (m *missing) Unwrap() error { return m.err }

// Hint returns what to do.
func (m *missing) Hint() string {
	return "install it where this run finds it; a program with a slash in its name is looked for beside publish.yaml, not in PATH"
}

// identify returns what a command's results depend on besides the manifests: the program, the arguments, the files among
// them, the inputs that it names, and the values of its variables. ok is false when that is not known: the command does
// not say what it reads, or it reads what cannot be digested.
func (r *Run) identify() (fields []string, ok bool) {
	if r.Inputs == nil {
		return nil, false
	}
	program, err := r.executable()
	if err != nil {
		return nil, false
	}
	digest, err := digestFile(program)
	if err != nil {
		return nil, false
	}
	fields = append([]string{"run", digest, string(r.scope()), string(r.format())}, r.Command...)
	fields = append(fields, "env")
	for _, name := range r.Env {
		value, set := os.LookupEnv(name)
		fields = append(fields, name, fmt.Sprint(set), value)
	}
	fields = append(fields, "inputs")
	for _, arg := range r.Command[1:] {
		fields = append(fields, r.argument(arg)...)
	}
	for _, name := range r.Inputs {
		digest, err := digestTree(r.abs(name))
		if err != nil {
			return nil, false
		}
		fields = append(fields, name, digest)
	}
	return fields, true
}

// argument returns the digests of the files that an argument names: all of it, or what follows a "=" ("--data=x.json").
func (r *Run) argument(arg string) []string {
	var fields []string
	_, after, _ := strings.Cut(arg, "=")
	for _, name := range []string{arg, after} {
		if info, err := os.Stat(r.abs(name)); name == "" || err != nil || !info.Mode().IsRegular() {
			continue
		}
		digest, err := digestFile(r.abs(name))
		if err != nil {
			digest = "unreadable"
		}
		fields = append(fields, name, digest)
	}
	return fields
}

func (r *Run) abs(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(r.Dir, filepath.FromSlash(name))
}

// maxInputFiles bounds what one input may hold: more is a mistake, such as a whole repository.
const maxInputFiles = 20_000

// digestTree returns the digest of a file, or of all files below a directory with their names. What is not there has a
// digest, too. Links to files count as these files; links to directories and special files are refused.
func digestTree(root string) (string, error) {
	info, err := os.Stat(root)
	if errors.Is(err, fs.ErrNotExist) {
		return "absent", nil
	}
	if err != nil {
		return "", err
	}
	if info.Mode().IsRegular() {
		return digestFile(root)
	}
	resolved, err := filepath.EvalSymlinks(root)
	if err != nil {
		return "", err
	}
	hash := sha256.New()
	count := 0
	err = filepath.WalkDir(resolved, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if count++; count > maxInputFiles {
			return fmt.Errorf("%s holds more than %d files", root, maxInputFiles)
		}
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			return errors.Join(fmt.Errorf("%s is no regular file", path), err)
		}
		digest, err := digestFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(resolved, path)
		fmt.Fprintf(hash, "%s %q\n", digest, filepath.ToSlash(name))
		return err
	})
	return "tree:" + hex.EncodeToString(hash.Sum(nil)), err
}
