package registry

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// TestUploadWays: what a registry does not understand, in whatever way it says so, is done the plain way, and tried once.
func TestUploadWays(t *testing.T) {
	for _, way := range []string{"digest", "mount"} {
		for _, status := range []int{400, 404, 405, 413, 500, 501} {
			if way == "mount" && status == 500 {
				continue // that may pass, and is retried
			}
			t.Run(fmt.Sprint(way, status), func(t *testing.T) {
				f, server := newFake(t, true)
				tries := 0
				f.Before(func(w http.ResponseWriter, r *http.Request) bool {
					if r.Method == http.MethodPost && r.URL.Query().Has(way) {
						tries++
						refuse(w, status, "UNSUPPORTED", "no")
						return true
					}
					return false
				})
				r := dial(t, server)
				for i := range 4 {
					a := build(t, fmt.Sprint(i))
					if err := r.Push(t.Context(), "app", a); err != nil {
						t.Fatal(err)
					}
					if b, err := r.Fetch(t.Context(), "app", a.Layer.Descriptor); err != nil || string(b) != string(a.Layer.Content) {
						t.Error(err)
					}
				}
				if tries < 1 || tries > 2 { // config and layer go side by side
					t.Errorf("tried %d times", tries)
				}
			})
		}
	}
}

// TestLostBlob: a blob that was taken to be there but is not is sent when the registry refuses the manifest.
func TestLostBlob(t *testing.T) {
	f, server := newFake(t, true)
	a, b := build(t, "a"), build(t, "b")
	if err := dial(t, server).Push(t.Context(), "app", a); err != nil {
		t.Fatal(err)
	}
	r := dial(t, server)
	if _, err := r.Resolve(t.Context(), "app", a.Manifest.Digest.String()); err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	delete(f.blobs, key("org/app", a.Config.Digest.String()))
	f.mu.Unlock()
	if err := r.Push(t.Context(), "app", b); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Fetch(t.Context(), "app", b.Config.Descriptor); err != nil {
		t.Error(err)
	}
}

// TestLargeBlob: what is large is not sent if it is there.
func TestLargeBlob(t *testing.T) {
	f, server := newFake(t, true)
	f.Mount = false
	big := describe("x", []byte(strings.Repeat("x", largeBlob+1)))
	for want := range 2 {
		f.Requests()
		existed, err := dial(t, server).putBlobs(t.Context(), "app", big)
		if err != nil || existed != (want == 1) || counts(f.Requests(), "PUT") != 1-want {
			t.Errorf("existed %v: %v", existed, err)
		}
	}
}

// TestMountFrom: bytes that one repository has are mounted into the next.
func TestMountFrom(t *testing.T) {
	f, server := newFake(t, true)
	r := dial(t, server)
	same := describe("x", []byte("the same everywhere"))
	for i := range 3 {
		f.Requests()
		if _, err := r.putBlobs(t.Context(), fmt.Sprint("app", i), same); err != nil {
			t.Fatal(err)
		}
		if all := f.Requests(); i > 0 && len(all) != 1 {
			t.Errorf("%q", all)
		}
		if b, err := r.Fetch(t.Context(), fmt.Sprint("app", i), same.Descriptor); err != nil || string(b) != string(same.Content) {
			t.Error(err)
		}
	}
}

// TestBatchSignature: the same signature for many artifacts travels once, and no manifest is asked for that cannot be
// there.
func TestBatchSignature(t *testing.T) {
	f, server := newFake(t, true)
	r := dial(t, server)
	for i := range 3 {
		a, name := build(t, fmt.Sprint(i)), fmt.Sprint("app", i)
		if err := r.Push(t.Context(), name, a); err != nil {
			t.Fatal(err)
		}
		f.Requests()
		if err := r.Attach(t.Context(), name, a.Manifest.Descriptor, bundle("batch")); err != nil {
			t.Fatal(err)
		}
		if all := f.Requests(); i > 0 && (len(all) != 3 || counts(all, "POST") != 2 || counts(all, "PUT", "manifests") != 1) {
			t.Errorf("%q", all)
		}
	}
}

// TestWholeLie: a registry that says it stored something else is not believed.
func TestWholeLie(t *testing.T) {
	f, server := newFake(t, true)
	f.Before(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		w.Header().Set(headerDigest, artifact.Describe("", []byte("other")).Digest.String())
		w.WriteHeader(http.StatusCreated)
		return true
	})
	if _, err := dial(t, server).putBlobs(t.Context(), "app", describe("x", []byte("y"))); err == nil || !strings.Contains(err.Error(), "stored") {
		t.Errorf("%v", err)
	}
}

// TestSession: an upload stays on the registry's host and does not step down from TLS.
func TestSession(t *testing.T) {
	for _, tt := range []struct{ registry, location, want string }{
		{"https://r.example:443/v2/a/blobs/uploads/", "https://r.example/u/1?s=x", "https://r.example:443/u/1?s=x"},
		{"https://r.example/v2/a/blobs/uploads/", "https://R.example:443/u/1", "https://r.example/u/1"},
		{"https://r.example/v2/a/blobs/uploads/", "/u/1", "https://r.example/u/1"},
		{"http://r.example:5000/v2/a/blobs/uploads/", "1?s=x", "http://r.example:5000/v2/a/blobs/uploads/1?s=x"},
		{"https://r.example/v2/a/blobs/uploads/", "http://r.example/u/1", ""},
		{"https://r.example/v2/a/blobs/uploads/", "https://r.example:8443/u/1", ""},
		{"https://r.example/v2/a/blobs/uploads/", "https://evil.example/u/1", ""},
		{"https://r.example/v2/a/blobs/uploads/", "//evil.example/u/1", ""},
		{"https://r.example/v2/a/blobs/uploads/", "", ""},
		{"https://r.example/v2/a/blobs/uploads/", "https://r.example:x/", ""},
	} {
		registry, err := url.Parse(tt.registry)
		if err != nil {
			t.Fatal(err)
		}
		got, err := session(&http.Response{Header: http.Header{"Location": {tt.location}}}, registry)
		if (err != nil) != (tt.want == "") || (err == nil && got.String() != tt.want) {
			t.Errorf("%s from %s: %v %v", tt.location, tt.registry, got, err)
		}
	}
}
