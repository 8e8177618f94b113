package render

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/artifactctl/artifactctl/internal/render/cache"
)

// What makes a record worthless elsewhere, or at all, is rendered each time.
func TestNeverCached(t *testing.T) {
	cached, fresh := remembering(t), newPool(t, poolOptions(roleWorker))
	const patched = kustomizationName + "resources: [a.yaml]\npatches: [{path: '%s/app/p.yaml'}]\n-- app/a.yaml --" + configMap +
		"-- app/p.yaml --" + configMap + "data: {a: b}\n"
	const based = kustomizationName + "resources: ['../../%s/base']\n-- base/kustomization.yaml --\nresources: [a.yaml]\n-- base/a.yaml --" + configMap
	for name, test := range map[string]struct {
		app    func(root string) string
		change func(*Request)
	}{
		"absolute path":    {app: func(root string) string { return fmt.Sprintf(patched, root) }},
		"name of the root": {app: func(root string) string { return fmt.Sprintf(based, filepath.Base(root)) }},
		"helm":             {change: func(r *Request) { r.Helm = true }},
		"error":            {app: func(string) string { return kustomizationName + "resources: [no.yaml]\n" }},
		"remote file":      {app: func(string) string { return kustomizationName + "resources: ['http://127.0.0.1:1/x']\n" }},
		"directory":        {change: func(r *Request) { r.Mode = Tree }},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "helm" {
				bin := t.TempDir()
				write(t, filepath.Join(bin, "helm"), nil)
				if err := os.Chmod(filepath.Join(bin, "helm"), 0o755); err != nil {
					t.Fatal(err)
				}
				t.Setenv("PATH", bin)
			}
			root := t.TempDir()
			text := good
			if test.app != nil {
				text = test.app(root)
			}
			unpackInto(t, root, text)
			r := request(root)
			if test.change != nil {
				test.change(&r)
			}
			for range 2 {
				if agree(t, cached, fresh, r) {
					t.Error("a hit")
				}
			}
			if _, known := cached.Cost(r); known {
				t.Error("something was stored")
			}
		})
	}
}

// An app that may use the network is kept when it does not.
func TestCacheOfAppsThatMayUseTheNetwork(t *testing.T) {
	cached, fresh := remembering(t), newPool(t, poolOptions(roleWorker))
	r := request(unpack(t, good))
	r.RemoteBases = true
	if agree(t, cached, fresh, r) || !agree(t, cached, fresh, r) {
		t.Error("not kept")
	}
	if r.RemoteBases = false; agree(t, cached, fresh, r) {
		t.Error("options make no difference")
	}

	base := gitRepository(t)
	r = request(unpack(t, kustomizationName+"resources: ['git::file://"+base+"//app']\n"))
	r.RemoteBases = true
	if _, err := fresh.Render(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if agree(t, cached, fresh, r) {
			t.Error("a clone was kept")
		}
	}
}

func TestHitsStartNoWorker(t *testing.T) {
	c := openCache(t)
	o := poolOptions(roleWorker)
	o.Cache = c
	deprecated, roots := example{}, []string{}
	for _, e := range corpus(t) {
		if e.name == "deprecated" {
			deprecated = e
		}
		roots = append(roots, e.root)
	}
	above := func(root string) Request { return Request{Dir: filepath.Join(root, "app"), Root: filepath.Dir(root)} }
	var first []Result
	for run := range 2 {
		p := newPool(t, o)
		results := make([]Result, len(roots))
		var group errgroup.Group
		for i, root := range roots {
			group.Go(func() (err error) {
				results[i], err = p.Render(t.Context(), above(root))
				return err
			})
		}
		if err := group.Wait(); err != nil {
			t.Fatal(err)
		}
		n := int64(len(roots))
		if counts := p.Counts(); run == 1 && counts != (Counts{Cached: n}) || run == 0 && (counts.Built != n || counts.Workers != 2) {
			t.Errorf("run %d: %+v", run, counts)
		}
		if run == 0 {
			first = results
		}
		for i, r := range results {
			if r.Cached != (run == 1) || !slices.Equal(r.Warnings, first[i].Warnings) {
				t.Errorf("run %d: cached %t, warnings %q, before %q", run, r.Cached, r.Warnings, first[i].Warnings)
			}
			if roots[i] == deprecated.root && len(r.Warnings) == 0 {
				t.Error("the warnings are lost")
			}
		}
	}
	o.Command = append(slices.Clone(o.Command), "another option")
	p := newPool(t, o)
	if r, err := p.Render(t.Context(), above(roots[0])); err != nil || r.Cached {
		t.Errorf("another renderer: %v, cached %t", err, r.Cached)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Render(t.Context(), above(roots[0])); err == nil {
		t.Error("a closed pool renders")
	}
}

// Many runs at a time, in the same cache, while it is pruned.
func TestConcurrentRunsShareACache(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	examples := corpus(t)[:6]
	var group errgroup.Group
	for run := range 3 {
		group.Go(func() error {
			c, err := cache.Open(dir, cache.Options{Limit: 32 << 10})
			if err != nil {
				return err
			}
			o := poolOptions(roleWorker)
			o.Cache, o.Workers = c, 1
			p := newPool(t, o)
			for i := range 3 * len(examples) {
				check(t, p, examples[(i+run)%len(examples)])
				if i%4 == run {
					if _, err := c.Prune(int64(i) << 10); err != nil {
						return err
					}
				}
			}
			return c.Close()
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestInputs(t *testing.T) {
	p := remembering(t)
	root := unpack(t, everything)
	if err := os.Symlink("../chain.yaml", filepath.Join(root, "app", "linked.yaml")); err != nil {
		t.Skip("no symbolic links here")
	}
	s := steps{t, root}
	s.link("app/real.yaml", "chain.yaml")
	r := request(root)
	if _, ok := p.Inputs(r); ok {
		t.Error("known before it was rendered")
	}
	if _, err := p.Render(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	set, ok := p.Inputs(r)
	if !ok {
		t.Fatal("not known")
	}
	for changed, want := range map[string]bool{
		"app/deploy.yaml": true, "app/deploy.yaml/x": true, "app/kustomization.yml": true, "app/Kustomization": true,
		"base/nested/map.yaml": true, "base": true, "base/nested/kustomization.yml": true, "app": true,
		"app/linked.yaml": true, "chain.yaml": true, "app/real.yaml": true, "app/crd.json": true, "app/data/other.txt": true,
		"app/unused.txt": false, "app/new.yaml": false, "other/map.yaml": false, "chain.yaml2": false, "app/dep": false,
		"README.md": false, "base/nested/more.yaml": false, "base/nested/map.yaml.orig": false,
	} {
		if set.Touched(changed) != want {
			t.Errorf("%s: touched is not %t, of %q", changed, want, set.Paths())
		}
	}
	if cost, known := p.Cost(r); !known || cost <= 0 {
		t.Errorf("cost %s", cost)
	}
	s.edit("app/vars.env", "value", "changed")
	nextRun(p)
	if _, ok := p.Inputs(r); ok {
		t.Error("known although it changed since")
	}
	r.Mode = Tree
	set, ok = p.Inputs(r)
	if !ok || !set.Touched("app/anything/at/all") || set.Touched("base/map.yaml") {
		t.Errorf("a directory depends on %q", set.Paths())
	}
	r.Dir = filepath.Join(root, "..")
	if _, ok := p.Inputs(r); ok {
		t.Error("known although it is outside")
	}
}

func TestOrder(t *testing.T) {
	p := remembering(t)
	requests := make([]Request, 3)
	for i := range requests {
		root := unpack(t, good)
		requests[i] = Request{Dir: filepath.Join(root, "app"), Root: filepath.Dir(root)}
	}
	write(t, filepath.Join(requests[1].Dir, "big.yaml"), []byte(strings.Repeat("#", 3_000_000)))
	if _, err := p.Render(t.Context(), requests[2]); err != nil { // takes more than some bytes' time
		t.Fatal(err)
	}
	order := func(want ...int) {
		t.Helper()
		if got := p.Order(t.Context(), requests); !slices.Equal(got, want) {
			known, _ := p.Cost(requests[2])
			t.Errorf("got %v, %s, want %v", got, known, want)
		}
	}
	order(1, 0, 2) // what is in the cache comes last
	if r, err := p.Render(t.Context(), requests[2]); err != nil || !r.Cached {
		t.Errorf("cached: %t, %v", r.Cached, err)
	}
	kustomization := filepath.Join(requests[2].Dir, "kustomization.yaml")
	text, err := os.ReadFile(kustomization)
	if err != nil {
		t.Fatal(err)
	}
	write(t, kustomization, append(text, "# changed\n"...))
	nextRun(p)
	order(1, 2, 0)
	if r, err := p.Render(t.Context(), requests[2]); err != nil || r.Cached {
		t.Errorf("cached: %t, %v", r.Cached, err)
	}
}

// gitRepository returns the path of a repository that has the app of good.
func gitRepository(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("no git here")
	}
	dir := unpack(t, good)
	for _, args := range [][]string{
		{"init", "--quiet"}, {"add", "."},
		{"-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false", "commit", "--quiet", "-m", "x"},
	} {
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %s: %v\n%s", args[0], err, out)
		}
	}
	return dir
}

func TestIdentify(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := identify(self)
	if err != nil || runtime.GOOS == "linux" && !strings.HasPrefix(program, "go:") {
		t.Errorf("got %q, %v", program, err)
	}
	script := filepath.Join(t.TempDir(), "script")
	seen := map[string]bool{program: true}
	for _, content := range []string{"", "a", "b"} {
		write(t, script, []byte(content))
		other, err := identify(script)
		if err != nil || seen[other] {
			t.Errorf("%q: got %q again, %v", content, other, err)
		}
		seen[other] = true
	}
	if _, err := identify(script + "x"); !os.IsNotExist(errors.Unwrap(err)) {
		t.Errorf("got %v", err)
	}
}
