package registry

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/plugins/signer"
)

// attach stores a signature in its format. The manifests hold no time and no order of events, so the same signature makes
// the same bytes and is stored once.
func attach(ctx context.Context, s store, repository string, subject artifact.Descriptor, sig artifact.Signature) error {
	if err := checkDigest(subject.Digest); err != nil {
		return err
	}
	switch sig.Format {
	case artifact.FormatBundle:
		return attachBundle(ctx, s, repository, subject, sig)
	case artifact.FormatLegacy:
		return attachLegacy(ctx, s, repository, subject, sig)
	default:
		return fmt.Errorf("signature format %q is unknown", sig.Format)
	}
}

// attachBundle stores a bundle as cosign does, as a referrer of subject.
func attachBundle(ctx context.Context, s store, repository string, subject artifact.Descriptor, sig artifact.Signature) error {
	config := describe(ocispec.MediaTypeEmptyJSON, []byte("{}"))
	m, layer, err := referrerOf(subject, config.Descriptor, sig)
	if err != nil {
		return err
	}
	if err := s.put(ctx, repository, m, config, layer); err != nil {
		return err
	}
	referrer := m.Descriptor
	referrer.ArtifactType, referrer.Annotations = signer.BundleMediaType, m.Annotations
	return s.link(ctx, repository, subject, referrer)
}

// referrerOf makes the manifest that ties a bundle to subject.
func referrerOf(subject, config artifact.Descriptor, sig artifact.Signature) (artifact.Manifest, artifact.Blob, error) {
	layer := describe(signer.BundleMediaType, sig.Content)
	annotations := map[string]string{annotationContent: "dsse-envelope"}
	if sig.PredicateType != "" {
		annotations[annotationPredicateType] = sig.PredicateType
	}
	m, err := marshal(ocispec.Manifest{
		ArtifactType: signer.BundleMediaType,
		Config:       config,
		Layers:       []ocispec.Descriptor{layer.Descriptor},
		Subject:      &ocispec.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size},
		Annotations:  annotations,
	})
	return m, layer, err
}

// attachLegacy adds a layer to the image at the `.sig` tag. Like the fallback index it has other writers, so it is read
// again until the layer is found there.
func attachLegacy(ctx context.Context, s store, repository string, subject artifact.Descriptor, sig artifact.Signature) error {
	tag := legacyTag(subject.Digest)
	release, err := s.exclusive(ctx, repository, tag)
	if err != nil {
		return err
	}
	defer release()
	payload := describe(signer.PayloadSimpleSigning, sig.Content)
	layer := payload.Descriptor
	layer.Annotations = map[string]string{annotationSignature: base64.StdEncoding.EncodeToString(sig.Value)}
	for range linkAttempts {
		old, err := s.Resolve(ctx, repository, tag)
		if err != nil && !errors.Is(err, artifact.ErrNotFound) {
			return err
		}
		if hasLayer(old, layer) {
			return nil
		}
		m, config, err := legacyImage(old, layer)
		if err != nil {
			return err
		}
		if _, err := s.putBlobs(ctx, repository, config, payload); err != nil {
			return err
		}
		if err := s.Tag(ctx, repository, m, tag); err != nil {
			return err
		}
	}
	return fmt.Errorf("%s:%s: other writers keep replacing the signatures", repository, tag)
}

func hasLayer(m artifact.Manifest, layer artifact.Descriptor) bool {
	for _, l := range m.Layers {
		if l.Digest == layer.Digest && l.Annotations[annotationSignature] == layer.Annotations[annotationSignature] {
			return true
		}
	}
	return false
}

// legacyImage is the image of cosign's older format: a layer for each signature, and a config with their digests. The
// payloads are not compressed, so a layer's diff id is its digest.
func legacyImage(old artifact.Manifest, further ...artifact.Descriptor) (artifact.Manifest, artifact.Blob, error) {
	type rootfs struct {
		Type    string          `json:"type"`
		DiffIDs []digest.Digest `json:"diff_ids"`
	}
	layers := append(append([]ocispec.Descriptor{}, old.Layers...), further...)
	ids := make([]digest.Digest, len(layers))
	for i, l := range layers {
		ids[i] = l.Digest
	}
	b, err := json.Marshal(struct {
		Architecture string   `json:"architecture"`
		Created      string   `json:"created"`
		OS           string   `json:"os"`
		RootFS       rootfs   `json:"rootfs"`
		Config       struct{} `json:"config"`
	}{Created: "0001-01-01T00:00:00Z", RootFS: rootfs{"layers", ids}})
	if err != nil {
		return artifact.Manifest{}, artifact.Blob{}, err
	}
	config := describe(ocispec.MediaTypeImageConfig, b)
	m, err := marshal(ocispec.Manifest{Config: config.Descriptor, Layers: layers, Annotations: old.Annotations})
	return m, config, err
}

// marshal writes an image manifest.
func marshal(m ocispec.Manifest) (artifact.Manifest, error) {
	m.Versioned, m.MediaType = specs.Versioned{SchemaVersion: 2}, artifact.ManifestMediaType
	b, err := json.Marshal(m)
	if err != nil {
		return artifact.Manifest{}, err
	}
	return artifact.ParseManifest(artifact.ManifestMediaType, b)
}

func describe(mediaType string, content []byte) artifact.Blob {
	return artifact.Blob{Descriptor: artifact.Describe(mediaType, content), Content: content}
}
