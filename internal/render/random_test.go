package render

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// wanderer changes a working tree at random: files, directories, links and kustomizations come, go and change places. It
// draws from few names, so that most of what it does matters to some app.
type wanderer struct {
	*rand.Rand
	root string
}

// wandererApps are the directories that are rendered.
var wandererApps = []string{"a", "b", "a/sub"}

func (w wanderer) one(of ...string) string { return of[w.IntN(len(of))] }
func (w wanderer) dir() string             { return w.one("a", "a", "b", "a/sub", "base", "base/sub") }
func (w wanderer) file() string            { return w.one("x.yaml", "y.yaml", "z.env", "sub") }
func (w wanderer) kustomization() string {
	return w.one("kustomization.yaml", "kustomization.yaml", "kustomization.yml", "Kustomization")
}

// content is that of a file which a kustomization may name in any place.
func (w wanderer) content() string {
	name := w.one("one", "two", "three")
	switch w.IntN(6) {
	case 0:
		return "A=" + name + "\nB=b\n"
	case 1:
		return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " + name + "}\nspec: {replicas: " + w.one("1", "2") + "}\n"
	default:
		return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\ndata: {key: " + w.one("u", "v") + "}\n"
	}
}

func (w wanderer) kustomize() string {
	var b strings.Builder
	fmt.Fprintf(&b, "resources: [%s]\n", w.one("x.yaml", "x.yaml, y.yaml", "y.yaml", "../base", "sub", "x.yaml, ../base", "x.yaml, ../b"))
	for _, line := range []string{
		"namePrefix: p-", "namespace: n", "components: [../c]", "components: [../c]", "patches: [{path: y.yaml}]",
		"configMapGenerator: [{name: g, files: [z.env], envs: [z.env]}]", "secretGenerator: [{name: s, files: [y.yaml]}]",
		"patches: [{path: sub/x.yaml, target: {name: one}}]", "transformers: [y.yaml]", "replacements: [{path: y.yaml}]",
	} {
		if w.IntN(6) == 0 {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// step makes one change. What cannot be done just now is left out.
func (w wanderer) step() string {
	dir := w.dir()
	file := dir + "/" + w.file()
	switch w.IntN(9) {
	case 0, 1:
		return w.write(file, w.content())
	case 2:
		return w.write(dir+"/"+w.kustomization(), w.kustomize())
	case 3:
		return w.replace(file, func(path string) { _ = os.MkdirAll(path, 0o777) })
	case 4, 5:
		target := w.one("x.yaml", "y.yaml", "../base/x.yaml", "../base", "../b", "nowhere", "../../outside", "sub")
		return "link to " + target + ": " + w.replace(file, func(path string) { _ = os.Symlink(target, path) })
	case 6:
		return "gone: " + w.replace(w.one(file, file, dir+"/"+w.kustomization(), dir+"/sub"), func(string) {})
	case 7:
		target := w.one("base", "b", "a")
		return "link to " + target + ": " + w.replace(w.one("c", "base"), func(path string) { _ = os.Symlink(target, path) })
	}
	return w.write("c/kustomization.yaml", "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\ncommonAnnotations: {c: "+w.one("1", "2")+"}\n")
}

func (w wanderer) replace(name string, with func(path string)) string {
	path := filepath.Join(w.root, name)
	_ = os.RemoveAll(path)
	_ = os.MkdirAll(filepath.Dir(path), 0o777)
	with(path)
	return name
}

func (w wanderer) write(name, content string) string {
	return "write " + w.replace(name, func(path string) { _ = os.WriteFile(path, []byte(content), 0o666) })
}

// start makes a tree that renders.
func (w wanderer) start() {
	const configMap = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"
	for _, dir := range []string{"a", "b", "a/sub", "base", "base/sub"} {
		w.write(dir+"/kustomization.yaml", "resources: [x.yaml]\n")
		w.write(dir+"/x.yaml", fmt.Sprintf(configMap, strings.ReplaceAll(dir, "/", "-")))
		w.write(dir+"/y.yaml", fmt.Sprintf(configMap, "one"))
		w.write(dir+"/z.env", "A=a\n")
	}
}

// However a tree changes, a cached result is what kustomize makes of it now.
func TestCacheIsSoundOnRandomTrees(t *testing.T) {
	if err := os.Symlink("x", filepath.Join(t.TempDir(), "link")); err != nil {
		t.Skip("no symbolic links here")
	}
	cached, fresh := remembering(t), newPool(t, poolOptions(roleWorker))
	hits, renders := 0, 0
	end := time.Now().Add(4 * time.Second)
	for seed := uint64(1); time.Now().Before(end); seed++ {
		w := wanderer{Rand: rand.New(rand.NewPCG(seed, 0)), root: t.TempDir()}
		w.start()
		var steps []string
		for range 40 {
			steps = append(steps, w.step())
			for _, app := range wandererApps {
				r := Request{Dir: filepath.Join(w.root, app), Root: w.root}
				if info, err := os.Stat(r.Dir); err != nil || !info.IsDir() {
					continue
				}
				renders++
				if agree(t, cached, fresh, r) {
					hits++
				}
				if t.Failed() {
					t.Fatalf("seed %d, app %s, after %q", seed, app, steps)
				}
			}
		}
	}
	t.Logf("%d hits of %d", hits, renders)
	if hits < renders/20 || hits > renders*19/20 {
		t.Errorf("%d hits of %d are no test", hits, renders)
	}
}
