package pins

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/artifactctl/artifactctl/internal/flux/manifest"
)

// Pin is what the objects of a repository should name.
type Pin struct {
	Repository string // host/path
	Digest     string // sha256:…; may be empty when only tags are written
	Tag        string // may be empty when only digests are written
	// TagFor says which tag takes the place of one that stands in a ref, empty for none; nil means Tag for all.
	TagFor func(current string) string
}

func (p Pin) tagFor(current string) string {
	if p.TagFor != nil {
		return p.TagFor(current)
	}
	return p.Tag
}

// Form is how a ref is written.
type Form string

// The forms.
const (
	// Keep changes the values that a ref has and adds none: a digest stays a digest, a tag a tag.
	Keep Form = "keep"
	// ByDigest makes every ref name the digest; a tag that stands beside it is kept current for its readers.
	ByDigest Form = "digest"
)

// Options say what Edit may do.
type Options struct {
	Form Form
	// Semver replaces ranges of versions, too: by the digest if there is one, else by the tag. Otherwise they stay.
	Semver bool
}

// Change is one value that was changed.
type Change struct {
	File       string `json:"file"`
	Line       int    `json:"line"`
	Object     string `json:"object"`
	Repository string `json:"repository"`
	Field      string `json:"field"`          // digest or tag
	From       string `json:"from,omitempty"` // empty for a field that is new
	To         string `json:"to"`
}

// Skip is a ref that was left as it is.
type Skip struct {
	File       string `json:"file"`
	Line       int    `json:"line"`
	Object     string `json:"object"`
	Repository string `json:"repository,omitempty"`
	Reason     string `json:"reason"`
}

// Result is what Edit did.
type Result struct {
	Changes []Change `json:"changes"`
	Current []Found  `json:"current"` // refs that name what they should already
	Skipped []Skip   `json:"skipped"` // refs that should change and could not be changed safely
	Missing []string `json:"missing"` // repositories that no object names
	// Diff shows the changes of all files, as a unified diff.
	Diff string `json:"diff,omitempty"`
	// Files holds the new content of the files that changed, in their order.
	Files []manifest.File `json:"-"`
}

var (
	tagGrammar    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
	digestGrammar = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// Edit repoints the objects of the pins' repositories and returns the files that change. Every byte beside the changed
// values stays: comments, order, indentation, separators and line endings. Doing it twice changes nothing the second time.
func Edit(files []manifest.File, pins []Pin, o Options) (*Result, error) {
	wanted, err := byRepository(pins)
	if err != nil {
		return nil, err
	}
	r := &Result{Changes: []Change{}, Current: []Found{}, Skipped: []Skip{}, Missing: []string{}}
	seen := map[string]bool{}
	for _, f := range files {
		e := editor{file: f, wanted: wanted, options: o, result: r, seen: seen}
		if err := e.edit(); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	r.Skipped = append(r.Skipped, unsupported(files, wanted)...)
	for _, p := range pins {
		if !seen[normal(p.Repository)] {
			r.Missing = append(r.Missing, p.Repository)
		}
	}
	return r, nil
}

func byRepository(pins []Pin) (map[string]Pin, error) {
	wanted := map[string]Pin{}
	for _, p := range pins {
		switch {
		case p.Digest == "" && p.Tag == "":
			return nil, fmt.Errorf("pin %s: neither a digest nor a tag", p.Repository)
		case p.Digest != "" && !digestGrammar.MatchString(p.Digest):
			return nil, fmt.Errorf("pin %s: %q is not a sha256 digest", p.Repository, p.Digest)
		case p.Tag != "" && !tagGrammar.MatchString(p.Tag):
			return nil, fmt.Errorf("pin %s: %q is not a tag", p.Repository, p.Tag)
		}
		if other, ok := wanted[normal(p.Repository)]; ok && (other.Digest != p.Digest || other.Tag != p.Tag) {
			return nil, fmt.Errorf("pin %s: it is given twice, differently", p.Repository)
		}
		wanted[normal(p.Repository)] = p
	}
	return wanted, nil
}

// unsupported lists what sets a ref without being an object of its own: patches, and refs that hold variables.
func unsupported(files []manifest.File, wanted map[string]Pin) []Skip {
	objects, problems := manifest.Read(files)
	var skips []Skip
	for _, p := range refPatches(files) {
		if concerns(p, objects, wanted) {
			skips = append(skips, Skip{
				File: p.File, Line: p.Line, Object: describe(p),
				Reason: "a kustomize patch sets spec.ref: patches are not edited; change it by hand, or pin in the object itself",
			})
		}
	}
	for _, p := range problems {
		if p.Flux {
			skips = append(skips, Skip{File: p.File, Line: p.Line, Object: "document", Reason: "it cannot be read: " + p.Message})
		}
	}
	return skips
}

// concerns says whether a patch may change an object of the wanted repositories: it selects one, or none that is known.
func concerns(p manifest.Patch, objects []manifest.Object, wanted map[string]Pin) bool {
	known := false
	for _, o := range objects {
		if !isOCIRepository(o) || o.IsPartial() || !p.Selects(o.Kind, o.Name) {
			continue
		}
		known = true
		url := manifest.Text(o.Node, "spec", "url")
		if _, ok := wanted[normal(url)]; ok || variable.MatchString(url) {
			return true
		}
	}
	return !known
}

// describeRef names what a ref lacks for people.
func (f Found) describe() string {
	return strings.Join(slices.DeleteFunc([]string{f.Digest, f.Semver, f.Tag}, func(s string) bool { return s == "" }), ", ")
}
