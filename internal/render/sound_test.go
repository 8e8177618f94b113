package render

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/render/cache"
	"github.com/artifactctl/artifactctl/internal/render/inputs"
)

// everything is an app with every kind of input that kustomize reads.
const everything = `
-- app/kustomization.yaml --
resources: [deploy.yaml, ../base, linked.yaml]
components: [../component]
patches: [{path: patch.yaml}]
patchesStrategicMerge:
- |-
  apiVersion: v1
  kind: ConfigMap
  metadata: {name: base}
  data: {inline: "../x"}
patchesJson6902: [{target: {version: v1, kind: ConfigMap, name: base}, path: json-patch.yaml}]
configMapGenerator: [{name: settings, files: [settings.txt, renamed=data/other.txt], envs: [vars.env]}]
secretGenerator: [{name: token, files: [token.txt]}]
transformers: [labels.yaml]
generators: [generator.yaml]
validators: []
configurations: [names.yaml]
replacements: [{path: replacement.yaml}]
crds: [crd.json]
openapi: {path: schema.json}
buildMetadata: [originAnnotations]
-- app/deploy.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {template: {spec: {containers: [{name: web, image: nginx}]}}}
-- app/patch.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {replicas: 2}
-- app/json-patch.yaml --
- {op: add, path: /data/json, value: one}
-- app/settings.txt --
settings
-- app/data/other.txt --
other
-- app/vars.env --
NAME=value
-- app/token.txt --
secret
-- app/labels.yaml --
apiVersion: builtin
kind: LabelTransformer
metadata: {name: labels}
labels: {team: red}
fieldSpecs: [{path: metadata/labels, create: true}]
-- app/generator.yaml --
apiVersion: builtin
kind: ConfigMapGenerator
metadata: {name: generated}
files: [settings.txt]
-- app/names.yaml --
nameReference: [{kind: ConfigMap, fieldSpecs: [{kind: Widget, path: spec/settings}]}]
-- app/replacement.yaml --
source: {kind: ConfigMap, name: base, fieldPath: data.key}
targets: [{select: {kind: Widget}, fieldPaths: [spec.key], options: {create: true}}]
-- app/crd.json --
{"example.com/v1.Widget": {"Schema": {"properties": {}}}}
-- app/schema.json --
{"definitions": {"v1.Widget": {"type": "object", "properties": {},
"x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Widget"}]}}}
-- app/real.yaml --
apiVersion: example.com/v1
kind: Widget
metadata: {name: widget}
spec: {settings: settings}
-- app/unused.txt --
nobody reads this
-- base/kustomization.yml --
resources: [nested, map.yaml]
-- base/map.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: base}
data: {key: base}
-- base/nested/Kustomization --
namePrefix: nested-
resources: [map.yaml]
-- base/nested/map.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: deep}
-- component/kustomization.yaml --
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
commonAnnotations: {component: one}
-- other/kustomization.yaml --
resources: [map.yaml]
-- other/map.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: base}
data: {key: another base}
`

// openCache opens a new cache and closes it at the end of the test, after the pools.
func openCache(t testing.TB) *cache.Cache {
	t.Helper()
	c, err := cache.Open(filepath.Join(t.TempDir(), "cache"), cache.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return c
}

// remembering is a pool with a cache.
func remembering(t testing.TB) *Pool {
	t.Helper()
	o := poolOptions(roleWorker)
	o.Cache = openCache(t)
	return newPool(t, o)
}

// nextRun makes p look at the working tree anew, as the pool of another run would.
func nextRun(p *Pool) {
	p.snapshots.mu.Lock()
	defer p.snapshots.mu.Unlock()
	p.snapshots.byRoot = map[string]*inputs.Snapshot{}
}

// agree renders with the cache and without, compares, and tells whether the cache had it.
func agree(t testing.TB, cached, fresh *Pool, r Request) (hit bool) {
	t.Helper()
	nextRun(cached)
	want, wantErr := fresh.Render(t.Context(), r)
	got, err := cached.Render(t.Context(), r)
	switch {
	case (err == nil) != (wantErr == nil), err != nil && err.Error() != wantErr.Error():
		t.Errorf("got error %v, want %v", err, wantErr)
	case !bytes.Equal(got.Files[artifact.ManifestsFile], want.Files[artifact.ManifestsFile]), len(got.Files) != len(want.Files):
		t.Errorf("cached %t: got\n%s\nwant\n%s", got.Cached, got.Files[artifact.ManifestsFile], want.Files[artifact.ManifestsFile])
	case !slices.Equal(got.Warnings, want.Warnings):
		t.Errorf("cached %t: got warnings %q, want %q", got.Cached, got.Warnings, want.Warnings)
	case want.Cached:
		t.Error("a pool without a cache has cached something")
	}
	return got.Cached
}

// steps change a working tree by path.
type steps struct {
	t    *testing.T
	root string
}

func (s steps) path(name string) string { return filepath.Join(s.root, filepath.FromSlash(name)) }

func (s steps) do(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s steps) edit(name, from, to string) {
	s.t.Helper()
	content, err := os.ReadFile(s.path(name))
	s.do(err)
	if !bytes.Contains(content, []byte(from)) {
		s.t.Fatalf("%s has no %q", name, from)
	}
	write(s.t, s.path(name), bytes.ReplaceAll(content, []byte(from), []byte(to)))
}

func (s steps) add(name, content string) { s.t.Helper(); write(s.t, s.path(name), []byte(content)) }
func (s steps) remove(name string)       { s.t.Helper(); s.do(os.RemoveAll(s.path(name))) }
func (s steps) rename(from, to string)   { s.t.Helper(); s.do(os.Rename(s.path(from), s.path(to))) }

// link puts a symbolic link in the place of whatever is there.
func (s steps) link(target, name string) {
	s.t.Helper()
	s.remove(name)
	s.do(os.Symlink(filepath.FromSlash(target), s.path(name)))
}

// seen are changes that have an effect on the render, or may have one: a hit would be wrong or lucky.
var seen = map[string]func(s steps){
	"resource changed":              func(s steps) { s.edit("app/deploy.yaml", "nginx", "caddy") },
	"resource removed":              func(s steps) { s.remove("app/deploy.yaml") },
	"resource became a directory":   func(s steps) { s.remove("app/deploy.yaml"); s.add("app/deploy.yaml/x", "") },
	"patch changed":                 func(s steps) { s.edit("app/patch.yaml", "2", "3") },
	"json patch changed":            func(s steps) { s.edit("app/json-patch.yaml", "one", "two") },
	"inline patch became a file":    func(s steps) { s.edit("app/kustomization.yaml", `"../x"`, `"../y"`) },
	"generator file changed":        func(s steps) { s.edit("app/settings.txt", "settings", "changed") },
	"nested generator file changed": func(s steps) { s.edit("app/data/other.txt", "other", "changed") },
	"generator file removed":        func(s steps) { s.remove("app/data/other.txt") },
	"directory became a file":       func(s steps) { s.remove("app/data"); s.add("app/data", "x") },
	"env file changed":              func(s steps) { s.edit("app/vars.env", "value", "changed") },
	"secret file changed":           func(s steps) { s.edit("app/token.txt", "secret", "changed") },
	"transformer changed":           func(s steps) { s.edit("app/labels.yaml", "red", "blue") },
	"generator changed":             func(s steps) { s.edit("app/generator.yaml", "generated", "changed") },
	"configuration changed":         func(s steps) { s.edit("app/names.yaml", "spec/settings", "spec/other") },
	"replacement changed":           func(s steps) { s.edit("app/replacement.yaml", "spec.key", "spec.other") },
	"crd changed":                   func(s steps) { s.edit("app/crd.json", "Widget", "Gadget") },
	"schema changed":                func(s steps) { s.edit("app/schema.json", "Widget", "Gadget") },
	"link leads elsewhere":          func(s steps) { s.add("app/x.yaml", "{}"); s.link("x.yaml", "app/linked.yaml") },
	"target of link changed":        func(s steps) { s.edit("app/real.yaml", "name: widget", "name: gadget") },
	"target of link removed":        func(s steps) { s.remove("app/real.yaml") },
	"link became its target": func(s steps) {
		s.remove("app/linked.yaml")
		s.rename("app/real.yaml", "app/linked.yaml")
	},
	"link goes by another link":    func(s steps) { s.link("linked.yaml", "app/second.yaml"); s.link("loop.yaml", "app/linked.yaml") },
	"file became a link":           func(s steps) { s.rename("app/deploy.yaml", "app/d.yaml"); s.link("d.yaml", "app/deploy.yaml") },
	"file became a link outside":   func(s steps) { s.rename("app/deploy.yaml", "d.yaml"); s.link("../d.yaml", "app/deploy.yaml") },
	"kustomization changed":        func(s steps) { s.edit("app/kustomization.yaml", "resources:", "namespace: x\nresources:") },
	"kustomization renamed":        func(s steps) { s.rename("app/kustomization.yaml", "app/Kustomization") },
	"kustomization shadowed .yml":  func(s steps) { s.add("app/kustomization.yml", "resources: [deploy.yaml]\n") },
	"kustomization shadowed":       func(s steps) { s.add("app/Kustomization", "resources: [deploy.yaml]\n") },
	"kustomization is a directory": func(s steps) { s.add("app/kustomization.yml/x", "") },
	"base changed":                 func(s steps) { s.edit("base/map.yaml", "key: base", "key: changed") },
	"base of base changed":         func(s steps) { s.edit("base/nested/Kustomization", "nested-", "changed-") },
	"base shadowed, stronger name": func(s steps) { s.add("base/kustomization.yaml", "resources: [map.yaml]\n") },
	"base shadowed, weaker name":   func(s steps) { s.add("base/Kustomization", "resources: [map.yaml]\n") },
	"base of base shadowed":        func(s steps) { s.add("base/nested/kustomization.yaml", "resources: [map.yaml]\n") },
	"base removed":                 func(s steps) { s.remove("base") },
	"base became a file":           func(s steps) { s.rename("base/map.yaml", "m"); s.remove("base"); s.rename("m", "base") },
	"base became a link":           func(s steps) { s.link("other", "base") },
	"nested base became a link":    func(s steps) { s.link("../other", "base/nested") },
	"component changed":            func(s steps) { s.edit("component/kustomization.yaml", "one", "two") },
	"component removed":            func(s steps) { s.remove("component") },
	"app became a link":            func(s steps) { s.link("other", "app") },
	"app removed":                  func(s steps) { s.remove("app") },
}

// unseen are changes that nobody asks about: a miss would be a waste.
var unseen = map[string]func(s steps){
	"nothing":              func(steps) {},
	"unused file changed":  func(s steps) { s.edit("app/unused.txt", "nobody", "who") },
	"unused file added":    func(s steps) { s.add("app/new.yaml", "x"); s.add(".gitignore", "*\n") },
	"unused directory":     func(s steps) { s.edit("other/map.yaml", "another", "some other"); s.add("more/x", "") },
	"modes":                func(s steps) { s.do(os.Chmod(s.path("app/deploy.yaml"), 0o755)) },
	"times":                func(s steps) { s.do(os.Chtimes(s.path("app/deploy.yaml"), time.Now(), time.Unix(1, 0))) },
	"same content":         func(s steps) { s.edit("app/deploy.yaml", "nginx", "nginx") },
	"replaced by the same": func(s steps) { s.rename("app/deploy.yaml", "d"); s.rename("d", "app/deploy.yaml") },
}

func TestCacheIsSound(t *testing.T) {
	cached, fresh := remembering(t), newPool(t, poolOptions(roleWorker))
	original := unpack(t, everything)
	if err := os.Symlink("real.yaml", filepath.Join(original, "app", "linked.yaml")); err != nil {
		t.Skip("no symbolic links here")
	}
	if agree(t, cached, fresh, request(original)) {
		t.Fatal("the first render is a hit")
	}
	want, err := fresh.Render(t.Context(), request(original))
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range seen {
		t.Run(name, func(t *testing.T) {
			root := copyOf(t, original)
			change(steps{t, root})
			if agree(t, cached, fresh, request(root)) {
				t.Error("a hit")
			}
			agree(t, cached, fresh, request(root)) // whether it was stored or not
			nextRun(cached)
			got, err := cached.Render(t.Context(), request(original))
			if err != nil || !got.Cached || !bytes.Equal(got.Files[artifact.ManifestsFile], want.Files[artifact.ManifestsFile]) {
				t.Errorf("the original is forgotten: %v", err)
			}
		})
	}
	for name, change := range unseen {
		t.Run(name, func(t *testing.T) {
			root := copyOf(t, original)
			change(steps{t, root})
			if !agree(t, cached, fresh, request(root)) {
				t.Error("a miss")
			}
		})
	}
}

// copyOf is another checkout of the same tree.
func copyOf(t testing.TB, root string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), strings.ToLower(filepath.Base(t.Name())))
	if err := os.CopyFS(to, os.DirFS(root)); err != nil {
		t.Fatal(err)
	}
	return to
}
