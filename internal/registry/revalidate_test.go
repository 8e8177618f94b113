package registry

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// conditional has the fake answer conditional requests as distribution does: 304 when the tag names what is known.
func conditional(f *fake, spared *int) {
	f.Before(func(w http.ResponseWriter, r *http.Request) bool {
		at := place(r)
		want := strings.Trim(r.Header.Get("If-None-Match"), `"`)
		if at.kind != manifestsKind || want == "" {
			return false
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		m, ok := f.manifests[key(at.repository, at.ref)]
		if !ok || artifact.Describe("", m.content).Digest.String() != want {
			return false
		}
		*spared++
		w.WriteHeader(http.StatusNotModified)
		return true
	})
}

// TestRevalidate: what a tag names is not sent again while it names the same, and everything else is.
func TestRevalidate(t *testing.T) {
	f, server := newFake(t, true)
	var spared int
	conditional(f, &spared)
	dir := t.TempDir()
	open := func() *Remote { return dial(t, server, func(o *RemoteOptions) { o.Cache = NewCache(dir) }) }
	one, two := build(t, "one"), build(t, "two")
	setup := dial(t, server)
	tagged := func(a *artifact.Artifact) {
		t.Helper()
		if err := setup.Push(t.Context(), "app", a); err != nil {
			t.Fatal(err)
		}
		if err := setup.Tag(t.Context(), "app", a.Manifest, "edge"); err != nil {
			t.Fatal(err)
		}
	}
	look := func(step string, want *artifact.Artifact, sparing int) {
		t.Helper()
		before := spared
		m, err := open().Resolve(t.Context(), "app", "edge")
		if err != nil || m.Digest != want.Manifest.Digest || string(m.Bytes) != string(want.Manifest.Bytes) || m.MediaType != want.Manifest.MediaType {
			t.Errorf("%s: %v, %v", step, m.Digest, err)
		}
		if spared-before != sparing {
			t.Errorf("%s: %d answers were spared, want %d", step, spared-before, sparing)
		}
	}
	tagged(one)
	look("first", one, 0)
	look("again", one, 1)
	tagged(two)
	look("moved", two, 0)
	look("moved, again", two, 1)
	files, err := filepath.Glob(filepath.Join(dir, "*", "*.tag"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	for name, content := range map[string]string{
		"damaged": `{"mediaType": "application/vnd.oci.image.manifest.v1+json"}`, "no manifest": "rubbish", "another's": string(one.Manifest.Bytes),
	} {
		if err := os.WriteFile(files[0], []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		look(name, two, 0)
		look(name+", again", two, 1)
	}
	before := spared
	if m, err := setup.Resolve(t.Context(), "app", "edge"); err != nil || m.Digest != two.Manifest.Digest || spared != before {
		t.Errorf("without a cache: %v, %v", m.Digest, err)
	}
}

// TestRevalidateGone: a tag that is gone is gone, whatever it named.
func TestRevalidateGone(t *testing.T) {
	f, server := newFake(t, true)
	r := dial(t, server, func(o *RemoteOptions) { o.Cache = NewCache(t.TempDir()) })
	a := build(t, "a")
	if err := r.Push(t.Context(), "app", a); err != nil {
		t.Fatal(err)
	}
	if err := r.Tag(t.Context(), "app", a.Manifest, "edge"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Resolve(t.Context(), "app", "edge"); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	delete(f.manifests, key("org/app", "edge"))
	f.mu.Unlock()
	if m, err := r.Resolve(t.Context(), "app", "edge"); err == nil {
		t.Errorf("it names %s", m.Digest)
	}
}

// TestUnaskedNotModified: an answer to a condition that was not made is an error.
func TestUnaskedNotModified(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) }))
	defer server.Close()
	r := dial(t, server, func(o *RemoteOptions) { o.Cache = NewCache(t.TempDir()) })
	if m, err := r.Resolve(t.Context(), "app", "edge"); err == nil {
		t.Errorf("it names %s", m.Digest)
	}
}
