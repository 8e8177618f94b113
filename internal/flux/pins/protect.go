package pins

import (
	"fmt"
	"regexp"

	"github.com/Masterminds/semver/v3"

	"github.com/artifactctl/artifactctl/internal/flux/manifest"
)

// Protection knows which artifacts files name. In doubt it protects.
type Protection struct {
	words    map[string]bool   // digests and tags, wherever they stand
	ranges   []Found           // that follow versions
	all      string            // why everything is protected; empty when it is not
	unknowns map[string]string // why a whole repository is
}

// word matches what may be a tag or a digest.
var word = regexp.MustCompile(`(?:sha256:)?[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`)

// Protect reads what files name: the pins of Flux's objects, as Scan finds them, and every digest or tag that stands
// anywhere in the text, for other tools pin, too. A pin whose value the files do not tell protects its repository or, when
// they do not tell that either, all.
func Protect(files []manifest.File) Protection {
	p := Protection{words: map[string]bool{}, unknowns: map[string]string{}}
	var manifests []manifest.File
	for _, f := range files {
		for _, w := range word.FindAllString(string(f.Content), -1) {
			p.words[w] = true
		}
		if manifest.IsYAML(f.Path) {
			manifests = append(manifests, f)
		}
	}
	found, problems := Scan(manifests)
	for _, f := range found {
		p.pin(f)
	}
	for _, problem := range problems {
		p.all = where(problem.File, problem.Line) + ": a document that may hold pins cannot be read: " + problem.Message
	}
	return p
}

func (p *Protection) pin(f Found) {
	doubt := where(f.File, f.Line) + ": " + f.Object + ": " + f.Unknown
	unknown := f.Unknown != "" && (f.Repository != "" || variable.MatchString(f.Tag+f.Semver+f.Digest))
	switch {
	case unknown && f.Repository == "":
		p.all = doubt
	case unknown:
		p.unknowns[normal(f.Repository)] = doubt
	case f.Digest == "" && f.Semver != "":
		p.ranges = append(p.ranges, f)
	}
}

// Needs reports whether files name an artifact of a repository (host/path) by its digest, or by a tag; empty is none.
func (p Protection) Needs(repository, digest, tag string) bool {
	if p.words[digest] || p.words[tag] && tag != "" || p.Doubt(repository) != "" {
		return true
	}
	for _, f := range p.ranges {
		if tag != "" && (f.Repository == "" || same(f.Repository, repository)) && f.mayMean(tag) {
			return true
		}
	}
	return false
}

// Doubt says why everything in a repository is protected; empty when it is not.
func (p Protection) Doubt(repository string) string {
	if p.all != "" {
		return p.all
	}
	return p.unknowns[normal(repository)]
}

// mayMean reports whether a range of versions includes a tag.
func (f Found) mayMean(tag string) bool {
	if f.SemverFilter != "" {
		if filter, err := regexp.Compile(f.SemverFilter); err == nil && !filter.MatchString(tag) {
			return false
		}
	}
	version, err := semver.NewVersion(tag)
	if err != nil {
		return false
	}
	wanted, err := semver.NewConstraint(f.Semver)
	return err != nil || wanted.Check(version)
}

func where(file string, line int) string { return fmt.Sprintf("%s:%d", file, line) }
