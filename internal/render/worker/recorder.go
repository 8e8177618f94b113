package worker

import (
	"crypto/sha256"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/artifactctl/artifactctl/internal/render/inputs"
)

// recorder writes down what a build asks and what it is told, for package inputs. It stands between kustomize and a
// jail whose first cell is disguised.
type recorder struct {
	*jail
	record []inputs.Input
	index  map[string]int      // of record, by path
	files  map[string]*content // by resolved path
	lost   bool                // an answer cannot be asked for again, so the record is worth nothing
}

// content is what is known of a file's content.
type content struct {
	read bool
	sum  inputs.Sum
}

func newRecorder(j *jail) *recorder {
	return &recorder{jail: j, index: map[string]int{}, files: map[string]*content{}}
}

// CleanedAbs records what lies at path.
func (r *recorder) CleanedAbs(path string) (filesys.ConfirmedDir, string, error) {
	dir, file, err := r.jail.CleanedAbs(path)
	name, ok := r.relative(path)
	in := inputs.Input{Path: name}
	switch {
	case !ok: // only here does the path mean what it means
		in.Kind = inputs.Unknown
	case err != nil:
		in.Kind = inputs.KindOf(err)
	default:
		in.Kind = inputs.File
		if file == "" {
			in.Kind = inputs.Directory
		}
		if in.Target, ok = r.relative(dir.Join(file)); !ok {
			in.Kind = inputs.Unknown
		}
	}
	r.add(in)
	return dir, file, err
}

func (r *recorder) add(in inputs.Input) {
	i, asked := r.index[in.Path]
	switch {
	case in.Kind == inputs.Unknown, asked && r.record[i] != in: // the latter: the tree changes while it is rendered
		r.lost = true
	case !asked:
		r.index[in.Path] = len(r.record)
		r.record = append(r.record, in)
	}
	if in.Kind == inputs.File && r.files[in.Target] == nil {
		r.files[in.Target] = &content{}
	}
}

// ReadFile records what was read.
func (r *recorder) ReadFile(path string) ([]byte, error) {
	text, err := r.jail.ReadFile(path)
	name, _ := r.relative(path)
	file := r.files[name]
	if err != nil || file == nil {
		r.lost = true
		return text, err
	}
	sum := sha256.Sum256(text)
	if file.read && file.sum != sum {
		r.lost = true
	}
	file.read, file.sum = true, sum
	return text, nil
}

// relative makes a path that kustomize knows relative to the root. It fails for paths that lead there by the real name
// of the root, which another checkout need not have.
func (r *recorder) relative(path string) (string, bool) {
	root := r.cells[0]
	if path == "." { // the first question: the app itself
		for _, dir := range []string{root.given, root.dir} {
			if name, err := filepath.Rel(dir, r.start); err == nil && filepath.IsLocal(name) {
				return filepath.ToSlash(name), true
			}
		}
	}
	if root.alias == "" || !within(root.alias, path) {
		return "", false
	}
	name := strings.TrimPrefix(strings.TrimPrefix(path, root.alias), string(filepath.Separator))
	if name == "" {
		name = "."
	}
	return filepath.ToSlash(name), true
}

// inputs returns the record, or nothing when nobody can tell by it whether another build would do the same.
func (r *recorder) inputs() []inputs.Input {
	if r.lost {
		return nil
	}
	for i := range r.record {
		in := &r.record[i]
		if file := r.files[in.Target]; in.Kind == inputs.File && file.read {
			in.Read, in.Sum = true, file.sum
		}
	}
	return r.record
}
