package render

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// kustomizeVariable names a kustomize command to compare with: TestAgainstProcesses needs it.
const kustomizeVariable = "RENDER_COMPARE_WITH"

// size is how big the apps of a fleet are.
type size struct {
	name                     string
	objects, patches, images int
}

var (
	small  = size{name: "small", objects: 4, patches: 1, images: 1}     // as most apps are
	medium = size{name: "medium", objects: 50, patches: 3, images: 10}  // an operator with its configuration
	large  = size{name: "large", objects: 400, patches: 20, images: 10} // where kustomize is no longer linear
)

// fleet writes apps of one size below a new root, a base and an overlay each.
func fleet(t testing.TB, s size, apps int) []Request {
	t.Helper()
	root := t.TempDir()
	requests := make([]Request, apps)
	for i := range requests {
		app := filepath.Join(root, "apps", fmt.Sprintf("app-%03d", i))
		writeApp(t, app, fmt.Sprintf("app-%03d", i), s)
		requests[i] = Request{Dir: filepath.Join(app, "overlay"), Root: root}
	}
	return requests
}

func writeApp(t testing.TB, dir, name string, s size) {
	t.Helper()
	var resources, patches, images []string
	for i := range s.objects {
		file := fmt.Sprintf("object-%03d.yaml", i)
		resources = append(resources, file)
		write(t, filepath.Join(dir, "base", file), []byte(object(name, i)))
	}
	for i := range s.patches {
		file := fmt.Sprintf("patch-%03d.yaml", i)
		patches = append(patches, "{path: "+file+"}")
		write(t, filepath.Join(dir, "overlay", file), fmt.Appendf(nil,
			"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: %s-%d}\nspec: {replicas: 3}\n", name, 4*i))
	}
	for i := range s.images {
		images = append(images, fmt.Sprintf("{name: registry.example.com/web-%d, newTag: 1.2.3}", 4*i))
	}
	write(t, filepath.Join(dir, "base", "kustomization.yaml"), []byte("resources: ["+strings.Join(resources, ", ")+"]\n"))
	write(t, filepath.Join(dir, "overlay", "app.properties"), []byte("name="+name+"\n"))
	write(t, filepath.Join(dir, "overlay", "kustomization.yaml"), fmt.Appendf(nil, "namespace: prod\nresources: [../base]\n"+
		"labels: [{pairs: {app.kubernetes.io/part-of: fleet}}]\npatches: [%s]\nimages: [%s]\n"+
		"configMapGenerator: [{name: %s, files: [app.properties]}]\n", strings.Join(patches, ", "), strings.Join(images, ", "), name))
}

// object is the i-th object of an app: deployments, services, accounts and budgets take turns.
func object(app string, i int) string {
	head := func(version, kind string) string {
		return fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: %s-%d}\n", version, kind, app, i)
	}
	switch i % 4 {
	case 0:
		return head("apps/v1", "Deployment") + fmt.Sprintf(`spec:
  replicas: 1
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec:
      containers:
      - {name: web, image: "registry.example.com/web-%[2]d:1.0.0", envFrom: [{configMapRef: {name: %[1]s}}]}
      - {name: sidecar, image: "registry.example.com/sidecar:1.0.0"}
`, app, i)
	case 1:
		return head("v1", "Service") + "spec: {selector: {app: " + app + "}, ports: [{port: 80, targetPort: 8080}]}\n"
	case 2:
		return head("v1", "ServiceAccount")
	}
	return head("policy/v1", "PodDisruptionBudget") + "spec: {minAvailable: 1, selector: {matchLabels: {app: " + app + "}}}\n"
}

// renderAll renders requests, as many at a time as an engine does.
func renderAll(t testing.TB, p *Pool, requests []Request) [][]byte {
	t.Helper()
	results := make([][]byte, len(requests))
	var group errgroup.Group
	group.SetLimit(8)
	for i, r := range requests {
		group.Go(func() error {
			result, err := p.Render(t.Context(), r)
			results[i] = result.Files[artifact.ManifestsFile]
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	return results
}

// BenchmarkCached is a run in which nothing has changed: it opens a pool, looks at each app's files and reads the result.
func BenchmarkCached(b *testing.B) {
	for _, fleetSize := range []struct {
		size
		apps int
	}{{small, 500}, {medium, 20}, {large, 1}} {
		b.Run(fmt.Sprintf("%s-%d", fleetSize.name, fleetSize.apps), func(b *testing.B) {
			o := poolOptions(roleWorker)
			o.Cache = openCache(b)
			requests := fleet(b, fleetSize.size, fleetSize.apps)
			renderAll(b, newPool(b, o), requests)
			for b.Loop() {
				p := NewPool(o)
				renderAll(b, p, requests)
				if counts := p.Counts(); counts.Built > 0 {
					b.Fatalf("%+v", counts)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*fleetSize.apps), "µs/app")
		})
	}
}

// BenchmarkCold renders with workers that run already, without a cache.
func BenchmarkCold(b *testing.B) {
	for _, fleetSize := range []struct {
		size
		apps int
	}{{small, 20}, {medium, 4}, {large, 1}} {
		b.Run(fleetSize.name, func(b *testing.B) {
			o := poolOptions(roleWorker)
			p := newPool(b, o)
			requests := fleet(b, fleetSize.size, fleetSize.apps)
			renderAll(b, p, requests)
			for b.Loop() {
				renderAll(b, p, requests)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*fleetSize.apps), "µs/app")
		})
	}
}

// The pool against one process of the kustomize command for each app, two at a time: the same bytes, sooner.
func TestAgainstProcesses(t *testing.T) {
	command := os.Getenv(kustomizeVariable)
	if command == "" {
		t.Skip(kustomizeVariable + " names no kustomize command")
	}
	for _, fleetSize := range []struct {
		size
		apps int
	}{{small, 100}, {medium, 20}, {large, 2}} {
		t.Run(fleetSize.name, func(t *testing.T) {
			requests := fleet(t, fleetSize.size, fleetSize.apps)
			start := time.Now()
			want := make([][]byte, len(requests))
			var group errgroup.Group
			group.SetLimit(2)
			for i, r := range requests {
				group.Go(func() (err error) {
					want[i], err = exec.CommandContext(t.Context(), command, "build", r.Dir).Output()
					return err
				})
			}
			if err := group.Wait(); err != nil {
				t.Fatal(err)
			}
			processes := time.Since(start)

			start = time.Now()
			got := renderAll(t, newPool(t, poolOptions(roleWorker)), requests)
			pool := time.Since(start)
			t.Logf("%d apps: processes %s, pool %s (first worker included): %.1f times faster, on %d processors", len(requests),
				processes.Round(time.Millisecond), pool.Round(time.Millisecond), processes.Seconds()/pool.Seconds(), runtime.NumCPU())
			if !slices.EqualFunc(got, want, slices.Equal) {
				t.Error("the outputs differ")
			}
		})
	}
}
