package pins_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/internal/flux/manifest"
	"github.com/artifactctl/artifactctl/internal/flux/pins"
)

const (
	oldDigest = "sha256:0000000000000000000000000000000000000000000000000000000000000001"
	newDigest = "sha256:00000000000000000000000000000000000000000000000000000000000000ff"
)

var web = pins.Pin{Repository: "ghcr.io/org/oci-web", Digest: newDigest, Tag: "1.4.2"}

// object is an OCIRepository of web with this text below spec.
func object(spec string) string {
	return "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata:\n  name: web\n  namespace: apps\nspec:\n  url: oci://ghcr.io/org/oci-web\n" + spec
}

func edit(t *testing.T, text string, o pins.Options, all ...pins.Pin) (*pins.Result, string) {
	t.Helper()
	if len(all) == 0 {
		all = []pins.Pin{web}
	}
	r, err := pins.Edit([]manifest.File{{Path: "web.yaml", Content: []byte(text)}}, all, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Files) == 0 {
		return r, text
	}
	return r, string(r.Files[0].Content)
}

func TestEdit(t *testing.T) {
	keep, byDigest, ranges := pins.Options{}, pins.Options{Form: pins.ByDigest}, pins.Options{Semver: true}
	tagOnly := pins.Pin{Repository: web.Repository, Tag: web.Tag}
	digestOnly := pins.Pin{Repository: web.Repository, Digest: web.Digest}
	for name, tt := range map[string]struct {
		before, after string // below spec
		options       pins.Options
		pin           pins.Pin
	}{
		"tag":                  {"  ref:\n    tag: edge # rolling\n", "  ref:\n    tag: 1.4.2 # rolling\n", keep, web},
		"digest":               {"  ref:\n    digest: " + oldDigest + "\n", "  ref:\n    digest: " + newDigest + "\n", keep, web},
		"both":                 {"  ref: # pinned\n    tag: 1.4.1\n    digest: " + oldDigest + "\n", "  ref: # pinned\n    tag: 1.4.2\n    digest: " + newDigest + "\n", keep, web},
		"digest and no tag":    {"  ref:\n    tag: 1.4.1\n    digest: " + oldDigest + "\n", "  ref:\n    tag: 1.4.1\n    digest: " + newDigest + "\n", keep, digestOnly},
		"single quotes":        {"  ref: {tag: 'edge'}\n", "  ref: {tag: '1.4.2'}\n", keep, web},
		"double quotes":        {"  ref: { tag: \"edge\" , x: y }\n", "  ref: { tag: \"1.4.2\" , x: y }\n", keep, web},
		"flow on lines":        {"  ref: {\n    tag: edge,\n    }\n", "  ref: {\n    tag: 1.4.2,\n    }\n", keep, web},
		"quoted key":           {"  \"ref\":\n    'tag': edge\n", "  \"ref\":\n    'tag': 1.4.2\n", keep, web},
		"value on next line":   {"  ref:\n    tag:\n      edge\n", "  ref:\n    tag:\n      1.4.2\n", keep, web},
		"four spaces":          {"  ref:\n        tag:   edge   \n  interval: 5m\n", "  ref:\n        tag:   1.4.2   \n  interval: 5m\n", keep, web},
		"becomes a number":     {"  ref:\n    tag: edge\n", "  ref:\n    tag: \"1.10\"\n", keep, pins.Pin{Repository: web.Repository, Tag: "1.10"}},
		"insert digest":        {"  ref:\n    # why\n    tag: 1.4.1\n", "  ref:\n    # why\n    digest: " + newDigest + "\n    tag: 1.4.2\n", byDigest, web},
		"insert digest only":   {"  ref:\n    tag: edge\n", "  ref:\n    digest: " + newDigest + "\n    tag: edge\n", byDigest, digestOnly},
		"insert into braces":   {"  ref: {tag: edge}\n", "  ref: {digest: " + newDigest + ", tag: 1.4.2}\n", byDigest, web},
		"digest stays digest":  {"  ref:\n    digest: " + oldDigest + "\n", "  ref:\n    digest: " + newDigest + "\n", byDigest, web},
		"range to digest":      {"  ref:\n    semver: \">=1.0.0\"\n", "  ref:\n    digest: \"" + newDigest + "\"\n", ranges, web},
		"range to tag":         {"  ref: {semver: 1.x}\n", "  ref: {tag: 1.4.2}\n", ranges, tagOnly},
		"beyond ASCII":         {"  # größer — 世界\n  ref: {\"ключ\": ü, tag: edge} # ✓\n", "  # größer — 世界\n  ref: {\"ключ\": ü, tag: 1.4.2} # ✓\n", keep, web},
		"tag without its type": {"  ref:\n    tag: 1.10\n", "  ref:\n    tag: 1.4.2\n", keep, web},
	} {
		t.Run(name, func(t *testing.T) {
			r, got := edit(t, object(tt.before), tt.options, tt.pin)
			if want := object(tt.after); got != want {
				t.Fatalf("got\n%s\nwant\n%s\nskipped %v", got, want, r.Skipped)
			}
			if len(r.Changes) == 0 || len(r.Skipped) != 0 || len(r.Missing) != 0 {
				t.Errorf("changes %v, skipped %v, missing %v", r.Changes, r.Skipped, r.Missing)
			}
			again, same := edit(t, got, tt.options, tt.pin)
			if same != got || len(again.Changes) != 0 || len(again.Current) != 1 {
				t.Errorf("a second time: %+v\n%s", again, same)
			}
		})
	}
}

// The rest of the file stays byte for byte: line endings, a byte order mark, separators, other documents, missing newline.
func TestEverythingElseStays(t *testing.T) {
	other := strings.ReplaceAll(object("  ref:\n    tag: edge\n"), "oci-web", "oci-api")
	wanted := object("  ref:\n    tag: edge # why\n  interval: 5m")
	text := "\ufeff# first\n---\n# a comment\n\n" + other + "\n---   # next\n\t\n" + wanted + "\n...\n--- {a: [1,  2]}\n---\n" + strings.TrimSuffix(wanted, "m") + "s"
	for name, text := range map[string]string{"newlines": text, "carriage returns": strings.ReplaceAll(text, "\n", "\r\n")} {
		t.Run(name, func(t *testing.T) {
			r, got := edit(t, strings.ReplaceAll(text, "\t", ""), pins.Options{})
			want := strings.ReplaceAll(strings.ReplaceAll(text, "\t", ""), "tag: edge # why", "tag: 1.4.2 # why")
			if got != want {
				t.Errorf("got\n%q\nwant\n%q", got, want)
			}
			if len(r.Changes) != 2 {
				t.Errorf("changes %+v", r.Changes)
			}
		})
	}
}

func TestInsertKeepsLineEndings(t *testing.T) {
	_, got := edit(t, strings.ReplaceAll(object("  ref:\n    tag: edge\n"), "\n", "\r\n"), pins.Options{Form: pins.ByDigest})
	if want := strings.ReplaceAll(object("  ref:\n    digest: "+newDigest+"\n    tag: 1.4.2\n"), "\n", "\r\n"); got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

func TestJSON(t *testing.T) {
	text := `{"apiVersion":"v1","kind":"List","items":[{"apiVersion":"source.toolkit.fluxcd.io/v1","kind":"OCIRepository","metadata":{"name":"web"},` +
		`"spec":{"url":"oci://GHCR.io/org/oci-web/","ref":{"tag":"edge"}}}]}`
	_, got := edit(t, text, pins.Options{Form: pins.ByDigest})
	if want := strings.Replace(text, `"tag":"edge"`, `"digest": "`+newDigest+`", "tag":"1.4.2"`, 1); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestSkipped(t *testing.T) {
	for name, tt := range map[string]struct {
		text, want string
		options    pins.Options
		pin        pins.Pin
	}{
		"no ref":             {text: object(""), want: "follows the tag latest"},
		"empty ref":          {text: object("  ref: {}\n"), want: "follows the tag latest"},
		"range":              {text: object("  ref: {semver: 1.x}\n"), want: "follows the versions 1.x"},
		"digest, only a tag": {text: object("  ref: {digest: " + oldDigest + "}\n"), want: "pinned by digest", pin: pins.Pin{Repository: web.Repository, Tag: "1"}},
		"tag, only a digest": {text: object("  ref: {tag: edge}\n"), want: "follows the tag edge", pin: pins.Pin{Repository: web.Repository, Digest: newDigest}},
		"wants a digest":     {text: object("  ref: {tag: edge}\n"), want: "should name a digest", pin: pins.Pin{Repository: web.Repository, Tag: "1"}, options: pins.Options{Form: pins.ByDigest}},
		"range and tag":      {text: object("  ref: {semver: 1.x, tag: a}\n"), want: "a range of versions and a tag", pin: pins.Pin{Repository: web.Repository, Tag: "1"}, options: pins.Options{Semver: true}},
		"anchored ref":       {text: object("  ref: &r {tag: edge}\n"), want: "has an anchor (&r)"},
		"anchored tag":       {text: object("  ref: {tag: &t edge}\n"), want: "has an anchor (&t)"},
		"anchored spec":      {text: strings.Replace(object("  ref: {tag: edge}\n"), "spec:", "spec: &s", 1), want: "has an anchor (&s)"},
		"alias":              {text: "x: &r {tag: edge}\n" + object("  ref: *r\n"), want: "is an alias (*r)"},
		"merge":              {text: "x: &r {ref: {tag: edge}}\n" + object("  <<: *r\n"), want: "it merges other mappings"},
		"merge in ref":       {text: "x: &r {tag: edge}\n" + object("  ref: {<<: *r}\n"), want: "it merges other mappings"},
		"twice":              {text: object("  ref: {tag: a, tag: b}\n"), want: "has tag twice"},
		"block scalar":       {text: object("  ref:\n    tag: |-\n      edge\n"), want: "as a block"},
		"explicit type":      {text: object("  ref:\n    tag: !!str edge\n"), want: "with a tag (!!)"},
		"escapes":            {text: object("  ref: {tag: \"e\\x64ge\"}\n"), want: "with escapes"},
		"same line":          {text: object("  ref:\n    ? tag\n    : edge\n"), want: "begins on a line with something else", options: pins.Options{Form: pins.ByDigest}},
		"empty digest":       {text: object("  ref:\n    digest:\n    tag: edge\n"), want: "an empty digest", options: pins.Options{Form: pins.ByDigest}},
		"variable url":       {text: strings.Replace(object("  ref: {tag: edge}\n"), "ghcr.io", "${REGISTRY}", 1), want: "its url has a variable"},
		"instance": {text: "apiVersion: fluxcd.controlplane.io/v1\nkind: FluxInstance\nmetadata: {name: flux}\nspec:\n  sync: {kind: OCIRepository, url: 'oci://ghcr.io/org/oci-web', ref: edge}\n",
			want: "a FluxInstance is not edited"},
		"cannot be read": {text: object("  ref: {tag: edge}\n") + "---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: {{ x }}\n  y", want: "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.pin.Repository == "" {
				tt.pin = web
			}
			r, got := edit(t, tt.text, tt.options, tt.pin)
			if len(r.Skipped) != 1 || !strings.Contains(r.Skipped[0].Reason, tt.want) {
				t.Fatalf("skipped %+v, want a reason with %q", r.Skipped, tt.want)
			}
			if name != "cannot be read" && (got != tt.text || len(r.Changes) > 0) {
				t.Errorf("it was changed nevertheless: %v\n%s", r.Changes, got)
			}
		})
	}
}

func TestPatchesAreReported(t *testing.T) {
	base := manifest.File{Path: "base/web.yaml", Content: []byte(object("  ref: {tag: edge}\n"))}
	api := manifest.File{Path: "base/api.yaml", Content: []byte(strings.NewReplacer("oci-web", "oci-api", "name: web", "name: api").Replace(object("  ref: {tag: edge}\n")))}
	partial := "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {name: NAME}\nspec: {ref: {tag: v1}}\n"
	for name, tt := range map[string]struct {
		files map[string]string
		want  int
	}{
		"strategic, loose":       {map[string]string{"patch.yaml": strings.Replace(partial, "NAME", "web", 1)}, 1},
		"strategic of another":   {map[string]string{"patch.yaml": strings.Replace(partial, "NAME", "api", 1)}, 0},
		"strategic of unknown":   {map[string]string{"patch.yaml": strings.Replace(partial, "NAME", "else", 1)}, 1},
		"json6902, loose":        {map[string]string{"patch.yaml": "- {op: replace, path: /spec/ref/tag, value: v1}\n"}, 1},
		"json6902 of other path": {map[string]string{"patch.yaml": "- {op: replace, path: /spec/interval, value: 1m}\n"}, 0},
		"json6902, whole spec":   {map[string]string{"patch.yaml": "- op: add\n  path: /spec\n  value: {ref: {digest: 'sha256:1'}}\n"}, 1},
		"json6902, removed":      {map[string]string{"patch.yaml": "- {op: remove, path: /spec/ref}\n"}, 0},
		"inline": {map[string]string{"prod/kustomization.yaml": "kind: Kustomization\nresources: [../base]\npatches:\n- target: {kind: OCIRepository, name: we.*}\n  patch: |\n" +
			"    - op: replace\n      path: /spec/ref/tag\n      value: v1\n"}, 1},
		"inline for another": {map[string]string{"prod/kustomization.yaml": "patches:\n- target: {kind: OCIRepository, name: api}\n  patch: |\n    - op: replace\n      path: /spec/ref/tag\n      value: v1\n"}, 0},
		"inline for git":     {map[string]string{"prod/kustomization.yaml": "patches:\n- target: {kind: GitRepository}\n  patch: |\n    - op: replace\n      path: /spec/ref/tag\n      value: v1\n"}, 0},
		"by path": {map[string]string{
			"prod/kustomization.yaml": "kind: Kustomization\npatches:\n- target: {kind: OCIRepository}\n  path: ../p/web.yaml\n",
			"p/web.yaml":              "- {op: replace, path: /spec/ref/tag, value: v1}\n",
		}, 1},
		"by path, for git": {map[string]string{
			"prod/kustomization.yaml": "kind: Kustomization\npatches:\n- target: {kind: GitRepository}\n  path: ../p/web.yaml\n",
			"p/web.yaml":              "- {op: replace, path: /spec/ref/tag, value: v1}\n",
		}, 0},
		"flux kustomization": {map[string]string{"flux.yaml": "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: x}\nspec:\n  patches:\n  - patch: |\n      " +
			strings.ReplaceAll(strings.Replace(partial, "NAME", "web", 1), "\n", "\n      ") + "\n"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			files := []manifest.File{base, api}
			for path, text := range tt.files {
				files = append(files, manifest.File{Path: path, Content: []byte(text)})
			}
			r, err := pins.Edit(files, []pins.Pin{web}, pins.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Skipped) != tt.want || len(r.Changes) != 1 {
				t.Errorf("skipped %+v, changes %+v", r.Skipped, r.Changes)
			}
		})
	}
}

func TestMissingAndBadPins(t *testing.T) {
	r, err := pins.Edit(nil, []pins.Pin{web}, pins.Options{})
	if err != nil || !slices.Equal(r.Missing, []string{web.Repository}) {
		t.Errorf("%+v, %v", r, err)
	}
	for _, bad := range [][]pins.Pin{{{Repository: "r/x"}}, {{Repository: "r/x", Tag: "a b"}}, {{Repository: "r/x", Digest: "sha256:1"}}, {web, {Repository: web.Repository, Tag: "2"}}} {
		if _, err := pins.Edit(nil, bad, pins.Options{}); err == nil {
			t.Errorf("%v was accepted", bad)
		}
	}
}

func TestEditTree(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	text := object("  ref: {tag: edge}\n")
	for _, path := range []string{filepath.Join(dir, "a", "web.yaml"), filepath.Join(outside, "web.yaml"), filepath.Join(dir, ".git", "web.yaml")} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if err := errorsOf(os.Symlink(outside, filepath.Join(dir, "out")), os.Symlink(filepath.Join(outside, "web.yaml"), filepath.Join(dir, "out.yaml"))); err != nil {
		t.Fatal(err)
	}
	read := func(path ...string) string {
		content, err := os.ReadFile(filepath.Join(path...))
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	if r, err := pins.EditTree(dir, []pins.Pin{web}, pins.Options{}, true); err != nil || len(r.Changes) != 1 || read(dir, "a", "web.yaml") != text {
		t.Fatalf("dry run: %+v, %v", r, err)
	}
	r, err := pins.EditTree(dir, []pins.Pin{web}, pins.Options{}, false)
	if err != nil || len(r.Changes) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if got := read(dir, "a", "web.yaml"); got != strings.Replace(text, "edge", "1.4.2", 1) {
		t.Errorf("got\n%s", got)
	}
	if read(outside, "web.yaml") != text || read(dir, ".git", "web.yaml") != text {
		t.Error("a file outside was changed")
	}
	if info, err := os.Stat(filepath.Join(dir, "a", "web.yaml")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "a")); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
	if r, err := pins.EditTree(filepath.Join(dir, "a", "web.yaml"), []pins.Pin{{Repository: web.Repository, Tag: "2"}}, pins.Options{}, false); err != nil || len(r.Changes) != 1 || !strings.Contains(read(dir, "a", "web.yaml"), `tag: "2"`) {
		t.Errorf("one file: %+v, %v", r, err)
	}
}

func errorsOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestScan(t *testing.T) {
	text := strings.Join([]string{
		object("  ref: {tag: edge, digest: '" + oldDigest + "'}\n"),
		object("  ref: {semver: 1.x, semverFilter: '-rc'}\n"),
		object(""),
		strings.Replace(object("  ref: {tag: a}\n"), "oci-web", "oci-api", 1),
		strings.Replace(object("  ref: {tag: b}\n"), "ghcr.io", "${REGISTRY}", 1),
		object("  ref: {tag: '${TAG}'}\n"),
		"apiVersion: fluxcd.controlplane.io/v1\nkind: FluxInstance\nmetadata: {name: flux}\nspec:\n  sync: {kind: OCIRepository, url: 'oci://ghcr.io/org/oci-web', ref: '" + newDigest + "'}\n",
		"- {op: replace, path: /spec/ref/digest, value: '" + newDigest + "'}\n",
		"apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\n  bad: [\n",
		"apiVersion: v1\nkind: [\n",
	}, "---\n")
	found, problems := pins.Scan([]manifest.File{{Path: "x.yaml", Content: []byte(text)}}, web.Repository)
	var got []string
	for _, f := range found {
		got = append(got, strings.Join([]string{f.Repository, f.Tag, f.Semver, f.SemverFilter, strings.TrimLeft(strings.TrimPrefix(f.Digest, "sha256:"), "0"), f.Unknown}, "|"))
	}
	want := []string{
		"ghcr.io/org/oci-web|edge|||1|", "ghcr.io/org/oci-web||1.x|-rc||", "ghcr.io/org/oci-web|latest||||", "|b||||its url has a variable",
		"ghcr.io/org/oci-web|${TAG}||||its ref has a variable", "ghcr.io/org/oci-web||||ff|", "||||ff|",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if len(problems) != 1 {
		t.Errorf("problems %+v: the one that names a Flux API counts", problems)
	}
	if all, _ := pins.Scan([]manifest.File{{Path: "x.yaml", Content: []byte(text)}}); len(all) != len(found)+1 {
		t.Errorf("%d pins of all repositories", len(all))
	}
}

// One pin can say another tag for each tag that stands there, and the diff shows what became of the file.
func TestTagForAndDiff(t *testing.T) {
	pin := pins.Pin{Repository: web.Repository, Digest: newDigest, TagFor: func(current string) string {
		return map[string]string{"sha-1": "sha-2", "stable": "stable"}[current]
	}}
	named := func(name, ref string) string {
		return strings.Replace(object("  ref: {"+ref+"}\n---\n"), "name: web", "name: "+name, 1)
	}
	text := named("a", "tag: sha-1") + named("b", "tag: stable") + named("c", "tag: edge") + named("d", "tag: edge, digest: "+oldDigest)
	r, got := edit(t, text, pins.Options{}, pin)
	want := strings.Replace(strings.Replace(text, "sha-1", "sha-2", 1), oldDigest, newDigest, 1)
	if got != want || len(r.Changes) != 2 || len(r.Current) != 1 || len(r.Skipped) != 1 {
		t.Errorf("%+v\n%s", r, got)
	}
	if !strings.HasPrefix(r.Diff, "--- a/web.yaml\n+++ b/web.yaml\n@@") || !strings.Contains(r.Diff, "\n-  ref: {tag: sha-1}\n+  ref: {tag: sha-2}\n") {
		t.Errorf("diff\n%s", r.Diff)
	}
	if r, got := edit(t, object("  ref: {semver: 1.x}\n"), pins.Options{Semver: true}, pins.Pin{Repository: web.Repository, TagFor: pin.TagFor, Tag: "x"}); len(r.Skipped) != 1 {
		t.Errorf("a range without a tag: %+v\n%s", r, got)
	}
}
