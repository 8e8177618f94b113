package interop_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/fluxcd/pkg/oci"
	"github.com/google/go-cmp/cmp"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/registry"
	"github.com/artifactctl/artifactctl/test/oracle"
	"github.com/artifactctl/artifactctl/test/peers"
)

// files is a tree with everything that orders or names could go wrong with: a directory beside a file whose name
// begins like it, depth, an empty file, names beyond ASCII and beyond what ustar can hold.
func files() artifact.Files {
	return artifact.Files{
		"manifests.yaml":  []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"),
		"a/b.yaml":        []byte("kind: B\n"),
		"a.yaml":          []byte("kind: A\n"),
		"a-b/c.yaml":      []byte("kind: C\n"),
		"a/z/deep/x.yaml": bytes.Repeat([]byte("# wide\n"), 10_000),
		"empty.yaml":      {},
		"ümläut.yaml":     []byte("kind: Ü\n"),
		filepath.ToSlash(filepath.Join(long(60), long(60), long(60), "x.yaml")): []byte("kind: Long\n"),
	}
}

func long(n int) string { return string(bytes.Repeat([]byte("d"), n)) }

// What artifactctl builds, Flux pulls: the same files, the same metadata.
func TestFluxPullsOurArtifact(t *testing.T) {
	for _, r := range peers.Registries(t) {
		t.Run(r.Kind, func(t *testing.T) {
			ref := pushOurs(t, r)
			dir := t.TempDir()
			meta, err := oracle.FluxPull(t.Context(), ref, dir)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(files(), readTree(t, dir)); diff != "" {
				t.Errorf("flux pulled other files (-want +got):\n%s", diff)
			}
			if meta.Source != "https://git.example.com/org/fleet.git" || meta.Revision != "main@sha1:abc" || meta.Created != "2026-01-02T01:04:05Z" {
				t.Errorf("flux read source %q, revision %q, created %q", meta.Source, meta.Revision, meta.Created)
			}
		})
	}
}

// What Flux pushes of the same files, on a machine with usual modes, is the same archive to the byte before it is
// compressed, and the same content by our own digest, whatever the modes are.
func TestOurArchiveIsFluxs(t *testing.T) {
	r := peers.Distribution(t)
	_, ours := fetchLayer(t, pushOurs(t, r))
	for _, usual := range []bool{true, false} {
		dir := filepath.Join(t.TempDir(), "tree")
		writeTree(t, dir, usual)
		ref, err := oracle.FluxPush(t.Context(), r.Host+"/flux/app:v1", dir, oci.Metadata{Source: "s", Revision: "r"})
		if err != nil {
			t.Fatal(err)
		}
		layer, theirs := fetchLayer(t, ref)
		if usual && !bytes.Equal(ours, theirs) {
			t.Error("the archives differ")
		}
		unpacked, err := artifact.Unpack(layer)
		if err != nil {
			t.Fatal(err)
		}
		if !artifact.Equal(unpacked, files()) || artifact.ContentDigest(unpacked) != artifact.ContentDigest(files()) {
			t.Errorf("usual modes %t: our reader sees other content in Flux's artifact", usual)
		}
	}
}

func pushOurs(t *testing.T, r *peers.Registry) string {
	t.Helper()
	a, err := artifact.Build(files(), artifact.Meta{
		Source: "https://git.example.com/org/fleet.git", Revision: "main@sha1:abc", Created: "2026-01-02T01:04:05Z",
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := client(t, r).Push(t.Context(), "ours/app", a); err != nil {
		t.Fatal(err)
	}
	return r.Host + "/ours/app@" + a.Manifest.Digest.String()
}

func client(t *testing.T, r *peers.Registry) *registry.Remote {
	t.Helper()
	c, err := registry.NewRemote(registry.RemoteOptions{Host: r.Host, Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// fetchLayer returns the content layer of an artifact, as it is and decompressed.
func fetchLayer(t *testing.T, ref string) (layer, archive []byte) {
	t.Helper()
	layer, err := oracle.Layer(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	zr, err := gzip.NewReader(bytes.NewReader(layer))
	if err != nil {
		t.Fatal(err)
	}
	archive, err = io.ReadAll(zr)
	if err != nil {
		t.Fatal(err)
	}
	return layer, archive
}

// writeTree writes files with the modes of a usual checkout, or with unusual ones.
func writeTree(t *testing.T, dir string, usual bool) {
	t.Helper()
	for name, content := range files() {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if !usual {
		return
	}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.Chmod(path, 0o755)
		}
		return os.Chmod(path, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func readTree(t *testing.T, dir string) artifact.Files {
	t.Helper()
	found := artifact.Files{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		found[filepath.ToSlash(name)], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
