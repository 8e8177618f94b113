package render

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"syscall"

	"github.com/artifactctl/artifactctl/internal/render/fault"
)

const kustomizationName = "-- app/kustomization.yaml --\n"

const configMap = `
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
`

func TestErrors(t *testing.T) {
	p := newPool(t, poolOptions(roleWorker))
	for name, test := range map[string]struct {
		app    string
		reason fault.Reason
		want   string // begin of the error
		has    string // somewhere in it
	}{
		"no kustomization": {
			app: "-- app/a.yaml --\n", reason: fault.Missing,
			want: "app: unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory 'app'",
		},
		"no kustomization in base": {
			app:    kustomizationName + "resources: [../base]\n-- base/a.yaml --\n",
			reason: fault.Missing, want: "app/kustomization.yaml: accumulating resources:",
			has: "unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory 'base'",
		},
		"two kustomizations": {
			app:    kustomizationName + "resources: [a.yaml]\n-- app/Kustomization --\nresources: [a.yaml]\n",
			reason: fault.Duplicate, want: "app/kustomization.yaml: Found multiple kustomization files under: app",
		},
		"not yaml": {
			app: kustomizationName + "namespace: x\nresources: [a.yaml\n", reason: fault.Syntax,
			want: "app/kustomization.yaml:2: invalid Kustomization: yaml: line 2: did not find expected ',' or ']'",
		},
		"unknown field": {
			app: kustomizationName + "namespace: x\nresorces: [a.yaml]\n", reason: fault.Syntax,
			want: "app/kustomization.yaml:2: invalid Kustomization: json: unknown field \"resorces\"",
		},
		"unknown field in base": {
			app:    kustomizationName + "resources: [../base]\n-- base/kustomization.yml --\nresorces: [a.yaml]\n",
			reason: fault.Syntax, want: "base/kustomization.yml:1: accumulating resources:",
			has: "couldn't make target for path 'base': invalid Kustomization: json: unknown field \"resorces\"",
		},
		"empty kustomization": {
			app: kustomizationName, reason: fault.Syntax, want: "app/kustomization.yaml: kustomization.yaml is empty",
		},
		"kind": {
			app:    kustomizationName + "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nresources: [a]\n",
			reason: fault.Syntax, want: "app/kustomization.yaml: Failed to read kustomization file under app:",
		},
		"malformed file, third document": {
			app: kustomizationName + "resources: [a.yaml]\n-- app/a.yaml --" + configMap + "---" + configMap +
				"---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\n bad: x\n",
			reason: fault.Syntax,
			want: "app/a.yaml:12: accumulating resources: accumulating resources from 'a.yaml': MalformedYAMLError: " +
				"yaml: line 12: did not find expected key in File: a.yaml",
		},
		"missing file": {
			app: kustomizationName + "resources: [no.yaml]\n", reason: fault.Missing,
			want: "app/kustomization.yaml: accumulating resources: accumulation err='accumulating resources from 'no.yaml': " +
				"evalsymlink failure on 'app/no.yaml' : lstat app/no.yaml: no such file or directory'",
		},
		"nothing": {
			app:    kustomizationName + "resources: [a.yaml]\n-- app/a.yaml --\n# nothing\n",
			reason: fault.Empty, want: "app/kustomization.yaml: the build has no objects",
		},
		"patch without target": {
			app: kustomizationName + "resources: [a.yaml]\npatches: [{path: p.yaml}]\n-- app/a.yaml --" + configMap +
				"-- app/p.yaml --\n" + strings.ReplaceAll(configMap, "name: a", "name: b"),
			reason: fault.Invalid, want: "app/kustomization.yaml: no resource matches strategic merge patch",
		},
		"remote file": {
			app: kustomizationName + "resources: ['http://user:secret@127.0.0.1:1/x.yaml']\n", reason: fault.Remote,
			want: "app/kustomization.yaml:", has: "remote files are off",
		},
		"remote patch": {
			app: kustomizationName + "resources: [a.yaml]\npatches: [{path: 'http://127.0.0.1:1/x.yaml'}]\n" +
				"-- app/a.yaml --" + configMap,
			reason: fault.Remote, want: "app/kustomization.yaml:", has: "remote files are off",
		},
		"remote base": {
			app: kustomizationName + "resources: ['github.com/org/repo//base?ref=v1']\n", reason: fault.Remote,
			want: "app/kustomization.yaml:", has: "no 'git' program on path",
		},
		"remote component": {
			app: kustomizationName + "components: ['https://github.com/org/repo//part']\n", reason: fault.Remote,
			want: "app/kustomization.yaml:", has: "no 'git' program on path",
		},
		"helm": {
			app: kustomizationName + "helmCharts: [{name: x, repo: 'https://x.example'}]\n", reason: fault.Helm,
			want: "app/kustomization.yaml:", has: "must specify --enable-helm",
		},
		"plugin": {
			app: kustomizationName + "generators: [g.yaml]\n-- app/g.yaml --\napiVersion: x.example/v1\nkind: Maker\n" +
				"metadata:\n  name: x\n  annotations: {config.kubernetes.io/function: 'exec: {path: /bin/true}'}\n",
			reason: fault.Plugin, want: "app/kustomization.yaml:", has: "external plugins disabled",
		},
		"broken schema": {
			app: kustomizationName + "resources: [a.yaml]\nopenapi: {path: s.json}\npatches: [{path: a.yaml}]\n" +
				"-- app/s.json --\n{\"definitions\": [\n-- app/a.yaml --" + configMap,
			reason: fault.OpenAPI, want: "app/kustomization.yaml: kustomize panicked: invalid schema file:",
		},
		"unknown schema": {
			app:    kustomizationName + "resources: [a.yaml]\nopenapi: {version: v9}\n-- app/a.yaml --" + configMap,
			reason: fault.OpenAPI, want: "app/kustomization.yaml: the specified OpenAPI version is not built in",
		},
		"outside, directory": {
			app: kustomizationName + "resources: [../../../../etc]\n", reason: fault.Outside,
			want: "app/kustomization.yaml: accumulating resources:", has: "is outside of the root",
		},
		"outside, absolute": {
			app: kustomizationName + "resources: [/etc/hostname]\n", reason: fault.Outside,
			want: "app/kustomization.yaml: accumulating resources:", has: "'/etc/hostname' is outside of the root",
		},
		"cycle": {
			app: kustomizationName + "resources: [../app]\n", reason: fault.Invalid,
			want: "app/kustomization.yaml: accumulating resources:", has: "cycle detected: candidate root 'app' contains visited root 'app'",
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := unpack(t, test.app)
			f := failure(t, p, request(root))
			text := f.Error()
			if f.Reason != test.reason || !strings.HasPrefix(text, test.want) || !strings.Contains(text, test.has) {
				t.Errorf("got %s: %s", f.Reason, text)
			}
			if strings.Contains(text, root) || strings.Contains(text, "secret") {
				t.Errorf("tells too much: %s", text)
			}
			if f.Reason != fault.Invalid && f.Reason != fault.Syntax && f.Hint() == "" {
				t.Error("no hint")
			}
		})
	}
	stillWorks(t, p)
}

func TestLinksOutOfTheRoot(t *testing.T) {
	p := newPool(t, poolOptions(roleWorker))
	outside := unpack(t, good)
	for name, link := range map[string]struct{ at, to string }{
		"directory":     {"base", "app"},
		"kustomization": {"base/kustomization.yaml", "app/kustomization.yaml"},
		"file":          {"app/b.yaml", "app/a.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			root := unpack(t, "-- app/kustomization.yaml --\nresources: [../base, b.yaml]\n"+
				"-- app/x --\n-- other/kustomization.yaml --\nresources: []\n")
			at := filepath.Join(root, filepath.FromSlash(link.at))
			if err := os.MkdirAll(filepath.Dir(at), 0o777); err != nil {
				t.Fatal(err)
			}
			if link.at == "app/b.yaml" {
				write(t, filepath.Join(root, "base", "kustomization.yaml"), []byte("namePrefix: x\n"))
			}
			if err := os.Symlink(filepath.Join(outside, filepath.FromSlash(link.to)), at); err != nil {
				t.Skip("no symbolic links here")
			}
			f := failure(t, p, request(root))
			if f.Reason != fault.Outside && name != "kustomization" || strings.Contains(f.Error(), outside) {
				t.Errorf("got %s: %v", f.Reason, f)
			}
		})
	}
	t.Run("app", func(t *testing.T) {
		root := t.TempDir()
		if err := os.Symlink(filepath.Join(outside, "app"), filepath.Join(root, "app")); err != nil {
			t.Skip("no symbolic links here")
		}
		if f := failure(t, p, request(root)); f.Reason != fault.Outside || strings.Contains(f.Error(), outside) {
			t.Errorf("got %s: %v", f.Reason, f)
		}
	})
	t.Run("root itself", func(t *testing.T) {
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(unpack(t, good), link); err != nil {
			t.Skip("no symbolic links here")
		}
		if _, err := p.Render(t.Context(), request(link)); err != nil {
			t.Error(err)
		}
		link2 := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(unpack(t, kustomizationName+"resources: [no.yaml]\n"), link2); err != nil {
			t.Fatal(err)
		}
		if f := failure(t, p, request(link2)); !strings.Contains(f.Error(), "lstat app/no.yaml:") {
			t.Errorf("got %v", f)
		}
	})
}

func TestPipeIsNotReadForEver(t *testing.T) {
	root := unpack(t, kustomizationName+"resources: [pipe.yaml]\n")
	if err := syscall.Mkfifo(filepath.Join(root, "app", "pipe.yaml"), 0o666); err != nil {
		t.Skip(err)
	}
	p := newPool(t, poolOptions(roleWorker))
	if f := failure(t, p, request(root)); !strings.Contains(f.Error(), "not a regular file") {
		t.Errorf("got %v", f)
	}
}

func TestWarnings(t *testing.T) {
	o := poolOptions(roleWorker)
	o.Workers = 1
	p := newPool(t, o)
	var deprecated example
	for _, e := range corpus(t) {
		if e.name == "deprecated" {
			deprecated = e
		}
	}
	const fix = " Run 'kustomize edit fix' to update your Kustomization automatically."
	want := []string{
		"app/kustomization.yaml: 'bases' is deprecated. Please use 'resources' instead." + fix,
		"app/kustomization.yaml: 'commonLabels' is deprecated. Please use 'labels' instead." + fix,
		"app/kustomization.yaml: 'imageTags' is deprecated. Please use 'images' instead." + fix,
		"app/kustomization.yaml: 'patchesJson6902' is deprecated. Please use 'patches' instead." + fix,
		"app/kustomization.yaml: 'patchesStrategicMerge' is deprecated. Please use 'patches' instead." + fix,
		"app/kustomization.yaml: 'vars' is deprecated. Please use 'replacements' instead. [EXPERIMENTAL]" + fix,
		"base/kustomization.yaml: 'commonLabels' is deprecated. Please use 'labels' instead." + fix,
		"well-defined vars that were never replaced: ALPHA,BETA,GAMMA,ZETA",
	}
	for range 20 { // kustomize puts the names of variables in random order
		result, err := p.Render(t.Context(), request(deprecated.root))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(result.Warnings, want) {
			t.Fatalf("got\n%s\nwant\n%s", strings.Join(result.Warnings, "\n"), strings.Join(want, "\n"))
		}
		result, err = p.Render(t.Context(), request(unpack(t, good)))
		if err != nil || len(result.Warnings) > 0 {
			t.Fatalf("got %q, error %v", result.Warnings, err)
		}
	}
}

func TestRemoteBasesWhenAllowed(t *testing.T) {
	git, err := exec.LookPath("git")
	if err != nil {
		t.Skip("no git here")
	}
	repo := unpack(t, strings.ReplaceAll(good, "app/", "base/")+
		"-- broken/kustomization.yaml --\nresorces: []\n")
	for _, args := range [][]string{
		{"init", "--quiet"},
		{"add", "."},
		{"-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "--quiet", "-m", "x"},
	} {
		cmd := exec.CommandContext(t.Context(), git, args...)
		cmd.Dir = repo
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	p := newPool(t, poolOptions(roleWorker))
	r := request(unpack(t, kustomizationName+"resources: ['file://"+repo+"//base']\nnamePrefix: x-\n"))
	if f := failure(t, p, r); f.Reason != fault.Remote {
		t.Errorf("got %s: %v", f.Reason, f)
	}
	r.RemoteBases = true
	result, err := p.Render(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(result.Files["manifests.yaml"]); !strings.Contains(got, "name: x-a") {
		t.Errorf("got %q", got)
	}
	r = request(unpack(t, kustomizationName+"resources: ['file://"+repo+"//broken']\n"))
	r.RemoteBases = true
	f := failure(t, p, r)
	if f.File != "<clone>/broken/kustomization.yaml" || strings.Contains(f.Error(), os.TempDir()+"/artifactctl") {
		t.Errorf("got %v", f)
	}
}

func TestHTTPIsNotUsed(t *testing.T) {
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	connected := make(chan struct{})
	go func() {
		if conn, err := listener.Accept(); err == nil {
			_ = conn.Close()
			close(connected)
		}
	}()
	p := newPool(t, poolOptions(roleWorker))
	r := request(unpack(t, kustomizationName+"resources: ['http://"+listener.Addr().String()+"/x.yaml']\n"))
	if f := failure(t, p, r); f.Reason != fault.Remote {
		t.Errorf("got %s: %v", f.Reason, f)
	}
	select {
	case <-connected:
		t.Error("connected although remote bases are off")
	default:
	}
	r.RemoteBases = true // now it has to, which shows that the test could have failed
	if f := failure(t, p, r); f.Reason == fault.Remote {
		t.Errorf("got %s: %v", f.Reason, f)
	}
	<-connected
	_ = listener.Close()
}

func TestHelm(t *testing.T) {
	r := request(unpack(t, kustomizationName+"helmCharts: [{name: chart, releaseName: r}]\n"+
		"-- app/charts/chart/values.yaml --\na: b\n"))
	r.Helm = true
	p := newPool(t, poolOptions(roleWorker))
	t.Setenv("PATH", t.TempDir())
	if f := failure(t, p, r); !strings.Contains(f.Error(), "no helm command in PATH") {
		t.Errorf("got %v", f)
	}
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	script := "#!/bin/sh\ncase $1 in version) echo v3.1.2;; *) printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: chart}\\n';; esac\n"
	if err := os.WriteFile(filepath.Join(bin, "helm"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	result, err := p.Render(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(result.Files["manifests.yaml"]); !strings.Contains(got, "name: chart") {
		t.Errorf("got %q", got)
	}
	r = request(unpack(t, kustomizationName+"resources: ['github.com/org/repo//base?ref=v1']\n"))
	r.Helm = true // does not let git in
	if f := failure(t, p, r); f.Reason != fault.Remote {
		t.Errorf("got %s: %v", f.Reason, f)
	}
}

func TestBadRequests(t *testing.T) {
	p := newPool(t, poolOptions(roleWorker))
	for _, r := range []Request{{Dir: "app", Root: "/"}, {Dir: "/", Root: "/", Mode: "other"}} {
		if _, err := p.Render(t.Context(), r); err == nil {
			t.Errorf("%+v is accepted", r)
		}
	}
	root := t.TempDir()
	if f := failure(t, p, request(root)); f.Reason != fault.Missing || f.File != "app" {
		t.Errorf("got %s: %v", f.Reason, f)
	}
}
