package artifact_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

func meta() artifact.Meta {
	return artifact.Meta{
		Source:   "https://git.example.com/org/fleet",
		Revision: "main@sha1:0123456789abcdef0123456789abcdef01234567",
		Created:  "2026-11-01T10:00:00Z",
	}
}

func build(t *testing.T, files artifact.Files, m artifact.Meta) *artifact.Artifact {
	t.Helper()
	a, err := artifact.Build(files, m)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// The digests of this test are a promise: a change means that every artifact of every user gets a new digest.
func TestBuildGolden(t *testing.T) {
	files := artifact.Files{
		"a/b.yaml": []byte("b: 1\n"),
		"a.yaml":   []byte("a: 1\n"),
		"a/c/d.md": []byte(strings.Repeat("words that compress well ", 400)),
	}
	a := build(t, files, meta())
	for name, got := range map[string][2]string{
		"layer":    {a.Layer.Digest.String(), "sha256:bed4bc7ec51fc46e67dc3be329f6f66ac39fff9ad63152d7205ece90b97ac50e"},
		"config":   {a.Config.Digest.String(), "sha256:5b943e2b943f6c81dbbd4e2eca5121f4fcc39139e3d1219d6d89bd925b77d9fe"},
		"manifest": {a.Manifest.Digest.String(), "sha256:0fb1bf6e676e52a24201ef04b2bb70f4a8ef355591b6d885eccae99bcfdbe24f"},
		"content":  {a.Manifest.Annotations[artifact.AnnotationContent], "sha256:ab6a7b5acea6bc2862af379bc426df390ea23b7d84b246eafb2339bcdd8d6be3"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s digest is %s, want %s", name, got[0], got[1])
		}
	}
}

func TestBuildWalksLikeFlux(t *testing.T) {
	a := build(t, artifact.Files{"a.yaml": nil, "a/b": nil, "a/c/d": nil, "a-b/x": nil, "z": nil}, meta())
	zr, err := gzip.NewReader(bytes.NewReader(a.Layer.Content))
	if err != nil {
		t.Fatal(err)
	}
	if zr.OS != 255 || zr.Name != "" || !zr.ModTime.IsZero() {
		t.Errorf("gzip header tells of the machine: %+v", zr.Header)
	}
	var got []string
	for tr := tar.NewReader(zr); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, h.Name)
		wantMode := map[byte]int64{tar.TypeDir: 0o755, tar.TypeReg: 0o644}[h.Typeflag]
		if h.Mode != wantMode || h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.ModTime.Unix() != 0 {
			t.Errorf("%s: header tells of the machine: %+v", h.Name, h)
		}
	}
	want := ". a a/b a/c a/c/d a-b a-b/x a.yaml z"
	if strings.Join(got, " ") != want {
		t.Errorf("entries %q, want %q", strings.Join(got, " "), want)
	}
}

func TestBuildRefuses(t *testing.T) {
	for name, files := range map[string]artifact.Files{
		"nothing":         {},
		"climbing":        {"../x": nil},
		"absolute":        {"/x": nil},
		"unclean":         {"a//b": nil},
		"backslash":       {`a\b`: nil},
		"control":         {"a\nb": nil},
		"not UTF-8":       {"a\xffb": nil},
		"file and dir":    {"a": nil, "a/b": nil},
		"empty path":      {"": nil},
		"the root itself": {".": nil},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := artifact.Build(files, meta()); !errors.Is(err, artifact.ErrFormat) {
				t.Errorf("got %v, want ErrFormat", err)
			}
		})
	}
	m := meta()
	m.Annotations = map[string]string{artifact.AnnotationContent: "sha256:0"}
	if _, err := artifact.Build(artifact.Files{"a": nil}, m); !errors.Is(err, artifact.ErrFormat) {
		t.Errorf("annotation of ours replaced: got %v, want ErrFormat", err)
	}
}

func TestContentDigestIsSha256sum(t *testing.T) {
	files := artifact.Files{"b": []byte("2"), "a/x": []byte("1")}
	line := func(content, path string) string {
		sum := sha256.Sum256([]byte(content))
		return hex.EncodeToString(sum[:]) + "  " + path + "\n"
	}
	sum := sha256.Sum256([]byte(line("1", "a/x") + line("2", "b")))
	if got, want := artifact.ContentDigest(files), "sha256:"+hex.EncodeToString(sum[:]); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	files["b"] = []byte("3")
	if artifact.ContentDigest(files) == "sha256:"+hex.EncodeToString(sum[:]) {
		t.Error("other content, same digest")
	}
}

func TestRoundTrip(t *testing.T) {
	files := artifact.Files{"manifests.yaml": []byte("kind: X\n"), "empty": {}, "deep/er/file": bytes.Repeat([]byte{0, 1}, 9000)}
	a := build(t, files, meta())
	m, err := artifact.ParseManifest(artifact.ManifestMediaType, a.Manifest.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if m.Digest != a.Manifest.Digest || m.Annotations[artifact.AnnotationRevision] != meta().Revision {
		t.Errorf("manifest changed on the way: %+v", m)
	}
	layer, err := m.ContentLayer()
	if err != nil || layer.Digest != a.Layer.Digest {
		t.Fatalf("content layer %v, %v", layer, err)
	}
	got, err := artifact.Unpack(a.Layer.Content)
	if err != nil {
		t.Fatal(err)
	}
	if !artifact.Equal(got, files) {
		t.Errorf("files changed on the way")
	}
	delete(got, "empty")
	if artifact.Equal(got, files) {
		t.Error("a missing file does not count")
	}
}

func TestParseManifestRefuses(t *testing.T) {
	for name, c := range map[string]struct{ mediaType, body string }{
		"not json":         {artifact.ManifestMediaType, "<html>"},
		"an index":         {"application/vnd.oci.image.index.v1+json", `{"manifests":[]}`},
		"other media type": {artifact.ManifestMediaType, `{"mediaType":"application/vnd.oci.image.index.v1+json"}`},
	} {
		m, err := artifact.ParseManifest(c.mediaType, []byte(c.body))
		if !errors.Is(err, artifact.ErrFormat) || m.Digest == "" {
			t.Errorf("%s: got %v with digest %q, want ErrFormat and the digest", name, err, m.Digest)
		}
	}
	two := `{"layers":[{"mediaType":"` + artifact.LayerMediaType + `"},{"mediaType":"x"}]}`
	m, err := artifact.ParseManifest(artifact.ManifestMediaType, []byte(two))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.ContentLayer(); !errors.Is(err, artifact.ErrFormat) {
		t.Errorf("two layers: got %v, want ErrFormat", err)
	}
}

type entry struct {
	name string
	kind byte
	body string
}

func archive(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	zw := gzip.NewWriter(&out)
	tw := tar.NewWriter(zw)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Size: int64(len(e.body)), Mode: 0o600}
		if e.kind == tar.TypeSymlink {
			h.Linkname, h.Size = "/etc/passwd", 0
		}
		if err := tw.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if e.kind == tar.TypeReg {
			if _, err := tw.Write([]byte(e.body)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestUnpackForeign(t *testing.T) {
	got, err := artifact.Unpack(archive(t, entry{".", tar.TypeDir, ""}, entry{"./a.yaml", tar.TypeReg, "a"}, entry{"link", tar.TypeSymlink, ""}))
	if err != nil {
		t.Fatal(err)
	}
	if !artifact.Equal(got, artifact.Files{"a.yaml": []byte("a")}) {
		t.Errorf("got %v", got)
	}
	for name, layer := range map[string][]byte{
		"not gzip":  []byte("plain"),
		"climbing":  archive(t, entry{"../a", tar.TypeReg, "a"}),
		"absolute":  archive(t, entry{"/a", tar.TypeReg, "a"}),
		"twice":     archive(t, entry{"a", tar.TypeReg, "a"}, entry{"./a", tar.TypeReg, "b"}),
		"truncated": archive(t, entry{"a", tar.TypeReg, strings.Repeat("a", 9999)})[:40],
	} {
		if _, err := artifact.Unpack(layer); !errors.Is(err, artifact.ErrFormat) {
			t.Errorf("%s: got %v, want ErrFormat", name, err)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(archive(f, entry{"a", tar.TypeReg, "a"}))
	f.Add([]byte{0x1f, 0x8b})
	f.Fuzz(func(t *testing.T, layer []byte) {
		files, err := artifact.Unpack(layer)
		if err != nil || len(files) == 0 {
			return
		}
		if _, err := artifact.Build(files, meta()); err != nil && !errors.Is(err, artifact.ErrFormat) {
			t.Errorf("unpacked files cannot be built: %v", err)
		}
	})
}

func BenchmarkBuild(b *testing.B) {
	files := artifact.Files{artifact.ManifestsFile: bytes.Repeat([]byte("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\n---\n"), 60)}
	for b.Loop() {
		if _, err := artifact.Build(files, meta()); err != nil {
			b.Fatal(err)
		}
	}
}
