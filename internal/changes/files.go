package changes

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// side is one of the two sets, as far as it differs from the other.
type side struct {
	files   artifact.Files
	entries []entry
	rest    map[string]string // by path: what of a file is no object
	hide    map[string]string // by path: why no text of rest may be shown
}

// readPair reads what differs. Documents that are in both sets, wherever, are left out before anything is parsed: of a
// large file with one changed object, one object costs time.
func readPair(before, after artifact.Files) (old, now side) {
	common := map[string]int{}
	changed := map[string]bool{}
	for _, p := range paths(before, after) {
		_, changed[p] = fileOp(before, after, p)
	}
	counts := countDocuments(before, changed)
	for text, n := range countDocuments(after, changed) {
		if both := min(n, counts[text]); both > 0 {
			common[text] = both
		}
	}
	hidden := generatorInputs(before)
	for p := range generatorInputs(after) {
		hidden[p] = true
	}
	return readSide(before, changed, common, hidden), readSide(after, changed, common, hidden)
}

func countDocuments(files artifact.Files, changed map[string]bool) map[string]int {
	counts := map[string]int{}
	for p, content := range files {
		if !changed[p] || !isYAML(p) {
			continue
		}
		for _, doc := range split(string(content)) {
			counts[doc]++
		}
	}
	return counts
}

func readSide(files artifact.Files, changed map[string]bool, common map[string]int, hidden map[string]bool) side {
	s := side{files: files, rest: map[string]string{}, hide: map[string]string{}}
	left := map[string]int{}
	for text, n := range common {
		left[text] = n
	}
	for _, p := range paths(files, nil) {
		if !changed[p] {
			continue
		}
		if isYAML(p) && utf8.Valid(files[p]) {
			s.readDocuments(p, left)
		} else {
			s.rest[p] = string(files[p])
		}
		switch _, found := s.rest[p]; {
		case hidden[p]:
			s.hide[p] = "a secretGenerator reads this file"
		case found && secretText.Match(files[p]):
			s.hide[p] = "the file holds a Secret"
		}
	}
	return s
}

// readDocuments reads a YAML file; left counts the documents that the other set has as well.
func (s *side) readDocuments(p string, left map[string]int) {
	var rest []string
	for _, doc := range split(string(s.files[p])) {
		if left[doc] > 0 {
			left[doc]--
			continue
		}
		entries, parsed, ok := readObjects(p, doc)
		if ok {
			s.entries = append(s.entries, entries...)
			if slices.ContainsFunc(entries, func(e entry) bool { return e.node != nil && holdsSecret(e.node) }) {
				s.hide[p] = "the file holds a Secret"
			}
			continue
		}
		rest = append(rest, doc)
		if !parsed && secretWord.MatchString(doc) {
			s.hide[p] = "the file could not be read as YAML and may hold a Secret"
		}
	}
	if len(rest) > 0 {
		s.rest[p] = strings.Join(rest, "---\n")
	}
}

// generatorInputs returns the paths of the files that kustomizations of the set turn into Secrets.
func generatorInputs(files artifact.Files) map[string]bool {
	inputs := map[string]bool{}
	for p, content := range files {
		switch path.Base(p) {
		case "kustomization.yaml", "kustomization.yml", "Kustomization":
		default:
			continue
		}
		nodes, err := parseDocuments(string(content))
		if err != nil {
			continue
		}
		for _, n := range nodes {
			for _, source := range generatorSources(n) {
				inputs[path.Join(path.Dir(p), source)] = true
			}
		}
	}
	return inputs
}

// fileChanges compares what is no object, file by file.
func fileChanges(old, now side) []Object {
	var objects []Object
	for _, p := range paths(old.files, now.files) {
		b, inOld := old.rest[p]
		a, inNow := now.rest[p]
		if b == a && inOld == inNow {
			continue
		}
		o := Object{Name: p}
		o.Op, _ = fileOp(old.files, now.files, p)
		hide := old.hide[p]
		if hide == "" {
			hide = now.hide[p]
		}
		switch {
		case hide != "":
			o.Diff = remark("not shown: " + hide)
		case binary(b) || binary(a):
			o.Diff = remark(fmt.Sprintf("binary: %d bytes before, %d after", len(b), len(a)))
		default:
			o.Diff = unified(b, a)
		}
		objects = append(objects, o)
	}
	return objects
}

// binary says whether a file's content is no text.
func binary(content string) bool {
	return bytes.IndexByte([]byte(content), 0) >= 0 || !utf8.ValidString(content)
}
