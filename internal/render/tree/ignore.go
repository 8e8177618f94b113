package tree

import (
	"path"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/gitignore"

	"github.com/artifactctl/artifactctl/internal/render/fault"
)

// ignoreFile is Flux's own ignore file. It is obeyed here and published with the rest, as `flux push artifact` does:
// source-controller reads it again in the unpacked artifact, to the same effect.
const ignoreFile = ".sourceignore"

// defaultPatterns are those of `flux push artifact` (flux2, cmd/flux/build_artifact.go).
const defaultPatterns = `.git/
.gitignore
.gitmodules
.gitattributes
*.jpg
*.jpeg
*.gif
*.png
*.wmv
*.flv
*.tar.gz
*.zip`

type pattern = gitignore.Pattern

// parsePatterns reads patterns, one a line, for paths below domain. source is where they come from, for errors.
func parsePatterns(text, source string, domain []string) ([]pattern, error) {
	var patterns []pattern
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
			continue
		}
		for _, part := range strings.Split(line, "/") {
			if _, err := filepath.Match(part, ""); err != nil { // the library would never match it, and not say so
				return nil, &fault.Error{
					Reason: fault.Syntax, File: source, Line: i + 1,
					Message: "the ignore pattern \"" + line + "\" is malformed",
				}
			}
		}
		patterns = append(patterns, gitignore.ParsePattern(line, domain))
	}
	return patterns, nil
}

// published returns the entries that are not ignored, in their order. Like Flux, and unlike git, it judges each file by
// itself: a file can be re-included although its directory is ignored.
func published(entries []entry, patterns []pattern) []entry {
	matcher := gitignore.NewMatcher(patterns)
	var files []entry
	kept := map[string]bool{} // directories of the files that are published
	for _, e := range entries {
		if e.mode.IsDir() || matcher.Match(strings.Split(e.path, "/"), false) {
			continue
		}
		files = append(files, e)
		for dir := path.Dir(e.path); dir != "." && !kept[dir]; dir = path.Dir(dir) {
			kept[dir] = true
		}
	}
	var all []entry
	next := 0
	for _, e := range entries {
		switch {
		case next < len(files) && files[next].path == e.path:
			all = append(all, e)
			next++
		case e.mode.IsDir() && (kept[e.path] || e.err != nil && !matcher.Match(strings.Split(e.path, "/"), true)):
			all = append(all, e)
		}
	}
	return all
}
