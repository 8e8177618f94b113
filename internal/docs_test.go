package internal

import (
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	codeBlock  = regexp.MustCompile("(?ms)^```.*?^```")
	codeSpan   = regexp.MustCompile("`[^`\n]*`")
	linkTarget = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	headline   = regexp.MustCompile(`(?m)^#+ +(.*)$`)
	notInSlug  = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// Every link between pages of the documentation leads to a file, and to a headline of it if it names one.
func TestLinks(t *testing.T) {
	pages := documentation(t)
	for name, text := range pages {
		for _, m := range linkTarget.FindAllStringSubmatch(codeSpan.ReplaceAllString(text, ""), -1) {
			u, err := url.Parse(m[1])
			if err != nil || u.Scheme != "" {
				continue
			}
			target := name
			if u.Path != "" {
				target = path.Join(path.Dir(name), u.Path)
			}
			if _, err := os.Stat(filepath.Join("..", target)); err != nil {
				t.Errorf("%s: %s leads nowhere", name, m[1])
			} else if u.Fragment != "" && !slugs(pages[target])[u.Fragment] {
				t.Errorf("%s: %s has no headline #%s", name, target, u.Fragment)
			}
		}
	}
}

// The floor plan in the documentation names every package: by its path, or by its name in the row of the one above it.
func TestFloorPlanIsDocumented(t *testing.T) {
	text := documentation(t)["docs/architecture.md"]
	_, text, _ = strings.Cut(text, "## The floor plan")
	plan, _, _ := strings.Cut(text, "\n## ")
	for _, p := range list(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		if name == "internal" || strings.Contains(plan, "`"+name+"`") {
			continue
		}
		named := false
		for row := range strings.Lines(plan) {
			named = named || strings.HasPrefix(row, "| `"+path.Dir(name)+"`") && strings.Contains(row, "`"+path.Base(name)+"`")
		}
		if !named {
			t.Errorf("docs/architecture.md: the floor plan does not name %s", name)
		}
	}
}

// documentation returns the text of all pages, without their code blocks, by path.
func documentation(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if base := d.Name(); base == "testdata" || base == "bin" || len(base) > 2 && base[0] == '.' {
				return fs.SkipDir
			}
		case path.Ext(file) == ".md":
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			name, err := filepath.Rel("..", file)
			pages[filepath.ToSlash(name)] = codeBlock.ReplaceAllString(string(text), "")
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return pages
}

// slugs are the anchors that GitHub gives the headlines of a page.
func slugs(text string) map[string]bool {
	out := map[string]bool{}
	for _, m := range headline.FindAllStringSubmatch(text, -1) {
		out[strings.ReplaceAll(notInSlug.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")] = true
	}
	return out
}
