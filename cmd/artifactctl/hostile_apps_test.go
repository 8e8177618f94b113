package main_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
)

// rendering is a case of one app that cannot be rendered: the message names app and file.
func rendering(spoil func(*fleet), want ...string) hostileCase {
	return hostileCase{spoil: spoil, code: 1, want: append([]string{"web", "render"}, want...)}
}

// tree turns the app into one that is published as it stands.
func tree(spoil func(*fleet)) func(*fleet) {
	return func(f *fleet) {
		f.replace("- path: apps/*", "- {path: apps/web, render: none}")
		spoil(f)
	}
}

const kustomization = "apps/web/kustomization.yaml"

func hostileKustomizations() map[string]hostileCase {
	return map[string]hostileCase{
		"missing":           rendering(func(f *fleet) { f.remove(kustomization) }, "apps/web"),
		"syntax":            rendering(writing(kustomization, "resources: [\n"), kustomization),
		"unknown field":     rendering(writing(kustomization, "resorces: [web.yaml]\n"), "resorces"),
		"resource missing":  rendering(writing(kustomization, "resources: [gone.yaml]\n"), "gone.yaml"),
		"resource broken":   rendering(writing("apps/web/web.yaml", "kind: [\n"), "web.yaml"),
		"nothing to render": rendering(writing(kustomization, "resources: []\n")),
		"same object twice": rendering(func(f *fleet) {
			f.write("apps/web/again.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n")
			f.write(kustomization, "resources: [web.yaml, again.yaml]\n")
		}, "web"),
		"two kustomizations": rendering(writing("apps/web/kustomization.yml", "resources: [web.yaml]\n"), "kustomization"),
		"file outside":       rendering(writing(kustomization, "resources: [web.yaml]\nconfigMapGenerator: [{name: x, files: [../../cosign.key]}]\n"), "cosign.key"),
		"directory outside":  rendering(func(f *fleet) { f.write(kustomization, "resources: ["+f.t.TempDir()+"]\n") }),
		"link outside": rendering(func(f *fleet) {
			f.link("/etc/passwd", "apps/web/link.yaml")
			f.write(kustomization, "resources: [link.yaml]\n")
		}, "link.yaml"),
		"remote base":          rendering(writing(kustomization, "resources: [\"https://github.com/org/repo//base?ref=v1\"]\n"), "remoteBases"),
		"remote file":          rendering(writing(kustomization, "resources: [https://127.0.0.1:1/base.yaml]\n"), "remoteBases"),
		"helm":                 rendering(writing(kustomization, "helmCharts: [{name: x, repo: https://example.com}]\n"), "helm"),
		"function":             rendering(writing(kustomization, "resources: [web.yaml]\ntransformers: [fn.yaml]\n")),
		"patch without target": rendering(writing(kustomization, "resources: [web.yaml]\npatches: [{patch: \"apiVersion: v1\\nkind: Secret\\nmetadata: {name: no}\"}]\n"), "Secret"),
		"component loop":       rendering(writing(kustomization, "resources: [web.yaml]\ncomponents: [../web]\n")),
		"self alias": {spoil: writing("apps/web/web.yaml", "a: &a [*a]\n"), args: []string{"publish", "--render-timeout", "3s"}, code: 1,
			want: []string{"web", "render"}},
		"tree with a link":          rendering(tree(func(f *fleet) { f.link("/etc/passwd", "apps/web/secret.yaml") }), "secret.yaml"),
		"tree that reaches outside": rendering(tree(writing(kustomization, "resources: [web.yaml, ../../base]\n")), kustomization, "../../base"),
		"tree with a missing file":  rendering(tree(writing(kustomization, "resources: [web.yaml, gone.yaml]\n")), "gone.yaml"),
		"tree that ignores what it needs": rendering(func(f *fleet) {
			f.replace("- path: apps/*", "- {path: apps/web, render: none, ignore: [web.yaml]}")
		}, "web.yaml"),
		"tree of nothing": rendering(func(f *fleet) {
			f.replace("- path: apps/*", "- {path: apps/web, render: none, ignore: [\"*\"]}")
		}),
	}
}

// remote is a case of a registry that fails.
func remote(spoil func(*fleet), want ...string) hostileCase {
	return hostileCase{spoil: spoil, code: 1, want: append([]string{"web"}, want...)}
}

func failing(method, part string, status int) func(*fleet) {
	return func(f *fleet) { f.fail(method, part, status) }
}

func pushing(c hostileCase) hostileCase {
	c.mayPush = true
	return c
}

func hostileRegistries() map[string]hostileCase {
	return map[string]hostileCase{
		"refuses connections": remote(func(f *fleet) { f.server.Close() }, "refused"),
		"unauthorized":        remote(failing("", "/v2/", http.StatusUnauthorized), "401"),
		"forbidden":           remote(failing("", "/v2/", http.StatusForbidden), "403", "so says the registry"),
		"overloaded":          remote(failing("", "/v2/", http.StatusTooManyRequests), "429"),
		"broken":              remote(failing("", "/v2/", http.StatusInternalServerError), "500"),
		"no upload":           pushing(remote(failing(http.MethodPost, "/blobs/", http.StatusForbidden), "403", "push")),
		"no manifests":        pushing(remote(failing(http.MethodPut, "/manifests/", http.StatusMethodNotAllowed), "405")),
		"no fallback tag":     pushing(remote(failing(http.MethodPut, "/manifests/sha256-", http.StatusForbidden), "403", "attach")),
		"no tags":             pushing(remote(failing(http.MethodPut, "/manifests/sha-", http.StatusForbidden), "403", "tag")),
		"referrers unknown":   pushing(remote(failing(http.MethodGet, "/referrers/", http.StatusTooManyRequests), "429")),
		"is a web page": remote(func(f *fleet) {
			f.gate.failWith(func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Content-Type", "text/html")
				w.WriteHeader(http.StatusNotFound)
				fmt.Fprint(w, "<html>not a registry</html>")
				return true
			})
		}, "404"),
		"lies about digests": remote(func(f *fleet) {
			f.gate.failWith(func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, "/manifests/") {
					return false
				}
				w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
				w.Header().Set("Docker-Content-Digest", "sha256:"+strings.Repeat("0", 64))
				fmt.Fprint(w, `{"schemaVersion":2}`)
				return true
			})
		}, "digest"),
		"unknown authority": remote(func(f *fleet) {
			secure := httptest.NewTLSServer(f.gate)
			f.t.Cleanup(secure.Close)
			f.write("ca.pem", testCertificate)
			f.replace(f.host(), strings.TrimPrefix(secure.URL, "https://"))
			f.replace("retries: 0", "retries: 0, tls: {ca: ca.pem}")
		}, "certificate"),
		"certificate file missing": {spoil: replacing("retries: 0", "tls: {ca: gone.pem}"), code: 3, want: []string{"gone.pem"}},
		"directory is a file": {spoil: func(f *fleet) {
			f.write("out", "a file")
			f.replace("oci://"+f.host()+"/org", "oci-layout:out")
		}, code: 3, want: []string{"out"}},
		"corrupt directory": remote(func(f *fleet) {
			f.write("out/web/oci-layout", `{"imageLayoutVersion":"1.0.0"}`)
			f.write("out/web/index.json", "{broken")
			f.replace("oci://"+f.host()+"/org", "oci-layout:out")
		}, "index.json"),
	}
}
