package registry

import (
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// TestRequests pins every request of each operation. A request more is a cost for every app of every run.
func TestRequests(t *testing.T) {
	for _, api := range []bool{true, false} {
		name := map[bool]string{true: "referrers API", false: "fallback tag"}[api]
		t.Run(name, func(t *testing.T) {
			f, server := newFake(t, api)
			counter := new(Counter)
			r := dial(t, server, func(o *RemoteOptions) { o.Counter, o.Cache = counter, NewCache(t.TempDir()) })
			ctx := t.Context()
			a, b := build(t, "a"), build(t, "b")
			s := bundle("1")
			names := strings.NewReplacer(
				"/v2/org/app/", "",
				a.Manifest.Digest.String(), "A", fallbackTag(a.Manifest.Digest), "tag-of-A",
				a.Config.Digest.String(), "config", a.Layer.Digest.String(), "layer-of-A",
				b.Manifest.Digest.String(), "B", b.Layer.Digest.String(), "layer-of-B",
				"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", "empty",
				artifact.Describe("", s.Content).Digest.String(), "bundle",
			)
			total := 0
			step := func(what string, do func() error, want ...string) {
				t.Helper()
				if err := do(); err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				var got []string
				for _, line := range f.Requests() {
					line = names.Replace(line)
					if i := strings.Index(line, "manifests/sha256:"); i >= 0 {
						line = line[:i] + "manifests/referrer"
					}
					if i := strings.Index(line, "uploads/"); i >= 0 {
						line = line[:i] + "uploads"
					}
					got = append(got, line)
				}
				total += len(got)
				// Blobs of one push go side by side, in no order.
				if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
					t.Errorf("%s:\n got %q\nwant %q", what, got, want)
				}
			}
			pick := func(withAPI, without []string) []string {
				if api {
					return withAPI
				}
				return without
			}
			push := func(a *artifact.Artifact) func() error {
				return func() error { return r.Push(ctx, "app", a) }
			}
			attach := func() error { return r.Attach(ctx, "app", a.Manifest.Descriptor, s) }
			read := func() error {
				m, err := r.Resolve(ctx, "app", "edge")
				if err != nil {
					return err
				}
				_, err = r.Signatures(ctx, "app", m.Descriptor)
				return err
			}

			session := []string{"POST blobs/uploads", "PUT blobs/uploads"}
			twice := slices.Concat(session, session)
			step("first push", push(a), slices.Concat(twice, []string{"PUT manifests/A"})...)
			step("push of existing, same run", push(a), "HEAD manifests/A")
			step("second push", push(b), slices.Concat(session, []string{"PUT manifests/B"})...)
			step("unsigned read", func() error { _, err := r.Signatures(ctx, "app", a.Manifest.Descriptor); return err }, pick(
				[]string{"GET referrers/A", "GET manifests/tag-of-A.sig"},
				[]string{"GET referrers/A", "GET manifests/tag-of-A", "GET manifests/tag-of-A.sig"})...)
			step("attach", attach, slices.Concat(twice, []string{"PUT manifests/referrer"},
				pick(nil, []string{"GET manifests/tag-of-A", "PUT manifests/tag-of-A", "GET manifests/tag-of-A"}))...)
			step("read back", func() error { _, err := r.Signatures(ctx, "app", a.Manifest.Descriptor); return err },
				pick([]string{"GET referrers/A"}, nil)...)
			step("attach again", attach, append([]string{"HEAD manifests/referrer"}, pick(nil, []string{"GET manifests/tag-of-A"})...)...)
			step("tag", func() error { return r.Tag(ctx, "app", a.Manifest, "edge") }, "PUT manifests/edge")
			known := func() error {
				m, err := r.Resolve(ctx, "app", "edge")
				if err != nil {
					return err
				}
				_, err = r.Known().Signatures(ctx, "app", m.Descriptor)
				return err
			}
			step("nothing to do", known, pick(
				[]string{"GET manifests/edge", "GET referrers/A"},
				[]string{"GET manifests/edge", "GET manifests/tag-of-A"})...)
			step("legacy attach", func() error {
				return r.Attach(ctx, "app", a.Manifest.Descriptor, legacy("1"))
			}, slices.Concat(twice, []string{"GET manifests/tag-of-A.sig", "PUT manifests/tag-of-A.sig", "GET manifests/tag-of-A.sig"})...)
			step("tags", func() error { _, err := r.Tags(ctx, "app"); return err }, "GET tags/list")
			if counter.Total() != total || counter.Counts()["PUT manifests"] == 0 {
				t.Errorf("the counter says %d %v, the server saw %d", counter.Total(), counter.Counts(), total)
			}
			r = dial(t, server)
			step("verify", read, pick(
				[]string{"GET manifests/edge", "GET referrers/A", "GET manifests/referrer", "GET blobs/bundle"},
				[]string{"GET manifests/edge", "GET referrers/A", "GET manifests/tag-of-A", "GET manifests/referrer", "GET blobs/bundle"})...)
			r.uploads.whole.Store(wholeFails)
			step("push of existing, next run", push(a), "HEAD manifests/A")
			r = dial(t, server)
			r.uploads.whole.Store(wholeFails)
			step("push of existing by itself", push(a), "POST blobs/uploads", "POST blobs/uploads", "HEAD manifests/A")
		})
	}
}

// TestOneConnection: all requests of a run share connections, and one after the other needs no second.
func TestOneConnection(t *testing.T) {
	f, _ := newFake(t, true)
	var conns atomic.Int32
	server := httptest.NewUnstartedServer(f)
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	r := dial(t, server)
	for i := range 20 {
		if err := r.Push(t.Context(), "app", build(t, strings.Repeat("x", i))); err != nil {
			t.Fatal(err)
		}
	}
	if n := conns.Load(); n > 4 { // config and layer go side by side
		t.Errorf("%d connections", n)
	}
}
