// Package changes compares two file sets object by object, for people: which Kubernetes objects were added, removed or
// changed, with a readable YAML diff of each. It is pure, decides nothing, and never shows the data of a Secret. It
// does not say whether two artifacts are equal: that is what their content digests are for.
package changes

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"slices"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// Op is what happened to an object or a file.
type Op string

// The operations.
const (
	Added   Op = "added"
	Removed Op = "removed"
	Changed Op = "changed"
)

// Object is one Kubernetes object (or, where a file holds none, one file) that differs.
type Object struct {
	Op         Op     `json:"op" jsonschema:"enum=added,enum=removed,enum=changed"`
	APIVersion string `json:"apiVersion,omitempty"`
	Kind       string `json:"kind,omitempty"` // empty for a plain file
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"` // the object's name, or the file's path
	// Diff is a unified diff of the two YAML texts without file headers, secrets masked and length bounded; empty when
	// there is nothing readable to show. A line that begins with "…" is a remark, not text of the object.
	Diff string `json:"diff,omitempty"`
}

// Comparer compares file sets. Its key makes the marks that stand for secret values: equal values have equal marks
// under one key, and without the key a mark cannot be used to guess a value. Safe for concurrent use.
type Comparer struct {
	key [sha256.Size]byte
}

// New returns a Comparer with this key, which should be random and new in each run. Without a key, and with the zero
// Comparer, marks do not tell values apart.
func New(key []byte) Comparer {
	if len(key) == 0 {
		return Comparer{}
	}
	return Comparer{key: sha256.Sum256(key)}
}

// Compare lists what differs from before to after: objects by kind, namespace and name, then files by path. Objects
// are looked for in all YAML and JSON files, whichever file they are in; only what is no Kubernetes object is compared
// file by file. An object whose text alone differs (comments, quotes, place) has not changed; when nothing else
// differs, the files are listed so that the result is empty only for equal sets.
func (c Comparer) Compare(before, after artifact.Files) []Object {
	old, now := readPair(before, after)
	w := writer{comparer: c, budget: maxNormalised}
	pairs := pair(old.entries, now.entries)
	objects := make([]Object, 0, len(pairs))
	for _, p := range pairs {
		objects = append(objects, w.object(p))
	}
	files := fileChanges(old, now)
	if len(objects)+len(files) == 0 {
		return unexplained(before, after)
	}
	return append(objects, files...)
}

// unexplained lists the files that differ although no object does.
func unexplained(before, after artifact.Files) []Object {
	var objects []Object
	for _, path := range paths(before, after) {
		op, differs := fileOp(before, after, path)
		if differs {
			objects = append(objects, Object{Op: op, Name: path, Diff: remark("the objects are the same; only their order, place, comments or formatting differ")})
		}
	}
	return objects
}

// fileOp says what became of a file.
func fileOp(before, after artifact.Files, path string) (op Op, differs bool) {
	b, inBefore := before[path]
	a, inAfter := after[path]
	switch {
	case !inBefore:
		return Added, true
	case !inAfter:
		return Removed, true
	default:
		return Changed, !bytes.Equal(b, a)
	}
}

// paths returns the paths of both sets, sorted, each once.
func paths(before, after artifact.Files) []string {
	all := make([]string, 0, len(before)+len(after))
	for p := range before {
		all = append(all, p)
	}
	for p := range after {
		all = append(all, p)
	}
	slices.SortFunc(all, cmp.Compare[string])
	return slices.Compact(all)
}
