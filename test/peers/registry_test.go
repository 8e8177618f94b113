package peers_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/artifactctl/artifactctl/test/peers"
)

func TestRegistryKinds(t *testing.T) {
	for _, r := range peers.Registries(t) {
		t.Run(r.Kind, func(t *testing.T) {
			ref := push(t, r)
			response, err := http.Get("http://" + r.Host + "/v2/some/app/referrers/" + ref.DigestStr())
			if err != nil {
				t.Fatal(err)
			}
			if err := response.Body.Close(); err != nil {
				t.Fatal(err)
			}
			if native := response.StatusCode == http.StatusOK; native != (r.Kind == "referrers") {
				t.Errorf("referrers API answers %d", response.StatusCode)
			}
		})
	}
}

func TestTagHookComesFirst(t *testing.T) {
	for _, r := range peers.Registries(t) {
		t.Run(r.Kind, func(t *testing.T) {
			var seen []string
			r.OnTag(func(w peers.TagWrite) {
				tag := mustTag(t, r.Direct+"/"+w.Repository+":"+w.Tag)
				if _, err := remote.Head(tag); err == nil {
					t.Errorf("the hook for %s comes after the tag", w.Tag)
				}
				seen = append(seen, w.Tag)
			})
			push(t, r)
			if !slices.Equal(seen, []string{"v1"}) {
				t.Errorf("hook saw %v", seen)
			}
		})
	}
}

// A write that is cut is stored, the client never learns of it, and everything after it is served as usual.
func TestCutWrite(t *testing.T) {
	for _, r := range peers.Registries(t) {
		t.Run(r.Kind, func(t *testing.T) {
			push(t, r)
			writes := r.Writes()
			r.Reset()
			r.OnWrite(func(n int) peers.Verdict {
				if n == writes {
					return peers.Cut
				}
				return peers.Answer
			})
			tag := mustTag(t, r.Host+"/some/other:v1")
			if err := remote.Write(tag, image(t), remote.WithRetryPredicate(func(error) bool { return false })); err == nil {
				t.Error("the client was answered")
			}
			if _, err := remote.Head(tag); err != nil {
				t.Errorf("the write was not stored: %v", err)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	r := peers.WithReferrers(t)
	push(t, r)
	r.Reset()
	head := func(req *http.Request) bool { return req.Method == http.MethodHead }
	r.Inject(peers.Fault{Match: head, Times: 1, Status: http.StatusTooManyRequests, RetryAfter: 7})
	r.Inject(peers.Fault{Match: head, Times: 1})
	url := "http://" + r.Host + "/v2/some/app/manifests/v1"
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // a reused connection would be retried
	for i, want := range []int{http.StatusTooManyRequests, 0, http.StatusOK} {
		response, err := client.Head(url)
		if err != nil {
			if want != 0 {
				t.Fatalf("request %d: %v", i, err)
			}
			continue
		}
		if err := response.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != want || want == http.StatusTooManyRequests && response.Header.Get("Retry-After") != "7" {
			t.Errorf("request %d: got %d with Retry-After %q, want %d", i, response.StatusCode, response.Header.Get("Retry-After"), want)
		}
	}
	if got := r.Requests(); len(got) < 3 || got[0].String() != "HEAD /v2/some/app/manifests/v1 429" || got[0].Class() != "HEAD tag" {
		t.Errorf("log is %v", got)
	}
}

func TestClasses(t *testing.T) {
	hex := strings.Repeat("0a", 32)
	for path, want := range map[string]string{
		"/v2/":                                   "GET ping",
		"/v2/a/b/manifests/edge":                 "GET tag",
		"/v2/a/b/manifests/sha256:" + hex:        "GET manifest by digest",
		"/v2/a/b/manifests/sha256-" + hex:        "GET signature tag",
		"/v2/a/manifests/sha256-" + hex + ".sig": "GET signature tag",
		"/v2/a/b/blobs/sha256:" + hex:            "GET blob",
		"/v2/a/b/blobs/uploads/?mount=x":         "GET upload",
		"/v2/a/b/referrers/sha256:" + hex:        "GET referrers",
		"/v2/a/b/tags/list?n=100":                "GET tag list",
	} {
		if got := (peers.Request{Method: http.MethodGet, Path: path}).Class(); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
}

func push(t *testing.T, r *peers.Registry) name.Digest {
	t.Helper()
	tag, img := mustTag(t, r.Host+"/some/app:v1"), image(t)
	if err := remote.Write(tag, img); err != nil {
		t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return tag.Context().Digest(digest.String())
}

func image(t *testing.T) v1.Image {
	t.Helper()
	img, err := random.Image(256, 1)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func mustTag(t *testing.T, ref string) name.Tag {
	t.Helper()
	tag, err := name.NewTag(ref)
	if err != nil {
		t.Fatal(err)
	}
	return tag
}
