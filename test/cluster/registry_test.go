package cluster_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/artifactctl/artifactctl/test/oracle"
)

// manifest is a manifest as it is stored.
type manifest struct {
	content   []byte
	mediaType types.MediaType
}

// RawManifest is the manifest's text.
func (m manifest) RawManifest() ([]byte, error) { return m.content, nil }

// MediaType is the manifest's type.
func (m manifest) MediaType() (types.MediaType, error) { return m.mediaType, nil }

// at is the reference to a digest of app web.
func (f *fleet) at(t *testing.T, digest string) name.Digest {
	t.Helper()
	ref, err := name.NewDigest(f.repository("web") + "@" + digest)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// move moves the channel of an app to a digest, as whoever may write to the registry can.
func (f *fleet) move(t *testing.T, app, digest string) {
	t.Helper()
	ref, err := name.NewDigest(f.repository(app) + "@" + digest)
	if err != nil {
		t.Fatal(err)
	}
	found, err := remote.Get(ref, remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Tag(ref.Tag(channel), found, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
}

// rewrite stores a manifest of app web with a field changed, and returns the new one's digest.
func (f *fleet) rewrite(t *testing.T, digest string) string {
	t.Helper()
	return f.put(t, digest, func(m map[string]any) {
		m["annotations"].(map[string]any)["org.opencontainers.image.revision"] = "main@sha1:0123456789012345678901234567890123456789"
	}).DigestStr()
}

// put stores what change makes of a manifest of app web.
func (f *fleet) put(t *testing.T, digest string, change func(map[string]any)) name.Digest {
	t.Helper()
	found, err := remote.Get(f.at(t, digest), remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	var document map[string]any
	if err := json.Unmarshal(found.Manifest, &document); err != nil {
		t.Fatal(err)
	}
	change(document)
	content, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	hash, _, err := v1.SHA256(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	to := f.at(t, hash.String())
	if err := remote.Put(to, manifest{content, found.MediaType}, remote.WithContext(t.Context())); err != nil {
		t.Fatal(err)
	}
	return to
}

// moveSignatures attaches the bundles of one manifest of app web to another.
func (f *fleet) moveSignatures(t *testing.T, from, to string) {
	t.Helper()
	signatures, err := oracle.Referrers(t.Context(), f.at(t, from).String())
	if err != nil || len(signatures) == 0 {
		t.Fatalf("%s has no signatures: %v", from, err)
	}
	subject, err := remote.Head(f.at(t, to), remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range signatures {
		f.put(t, s.Digest.String(), func(m map[string]any) { m["subject"] = subject })
	}
	if moved, err := oracle.Referrers(t.Context(), f.at(t, to).String()); err != nil || len(moved) != len(signatures) {
		t.Fatalf("%d of %d signatures were moved: %v", len(moved), len(signatures), err)
	}
}
