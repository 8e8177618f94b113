package matrix

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// Media types of Flux's artifacts and of what is stored beside them.
const (
	fluxConfig  = types.MediaType("application/vnd.cncf.flux.config.v1+json")
	fluxContent = types.MediaType("application/vnd.cncf.flux.content.v1.tar+gzip")
	emptyConfig = types.MediaType("application/vnd.oci.empty.v1+json")
	bundleType  = types.MediaType(signer.BundleMediaType)
	simpleType  = types.MediaType(signer.PayloadSimpleSigning)
)

// shelf is a repository that manifests are put into byte by byte.
type shelf struct{ repo name.Repository }

// raw is a manifest or an index as it is sent.
type raw struct {
	content   []byte
	mediaType types.MediaType
}

// RawManifest implements remote.Taggable.
func (r raw) RawManifest() ([]byte, error) { return r.content, nil }

// MediaType says what is sent; without it, the library takes it for a Docker manifest.
func (r raw) MediaType() (types.MediaType, error) { return r.mediaType, nil }

// manifest is an image manifest with the fields that the library's own lacks.
type manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     types.MediaType   `json:"mediaType"`
	ArtifactType  string            `json:"artifactType,omitempty"`
	Config        v1.Descriptor     `json:"config"`
	Layers        []v1.Descriptor   `json:"layers"`
	Subject       *v1.Descriptor    `json:"subject,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// blob stores bytes.
func (s shelf) blob(ctx context.Context, mediaType types.MediaType, content []byte) (v1.Descriptor, error) {
	layer := static.NewLayer(content, mediaType)
	if err := remote.WriteLayer(s.repo, layer, remote.WithContext(ctx)); err != nil {
		return v1.Descriptor{}, fmt.Errorf("push a blob: %w", err)
	}
	return describe(mediaType, content), nil
}

func describe(mediaType types.MediaType, content []byte) v1.Descriptor {
	digest, size, _ := v1.SHA256(bytes.NewReader(content)) // reading from memory does not fail
	return v1.Descriptor{MediaType: mediaType, Digest: digest, Size: size}
}

// put stores a manifest by its digest. Of one with a subject the library keeps the list where the registry does not.
func (s shelf) put(ctx context.Context, m manifest) (v1.Descriptor, error) {
	m.SchemaVersion, m.MediaType = 2, types.OCIManifestSchema1
	text, err := json.Marshal(m)
	if err != nil {
		return v1.Descriptor{}, err
	}
	d := describe(types.OCIManifestSchema1, text)
	if err := remote.Put(s.repo.Digest(d.Digest.String()), raw{text, m.MediaType}, remote.WithContext(ctx)); err != nil {
		return d, fmt.Errorf("push a manifest: %w", err)
	}
	return d, nil
}

// tag makes tag name what d describes.
func (s shelf) tag(ctx context.Context, d v1.Descriptor, tag string) error {
	found, err := remote.Get(s.repo.Digest(d.Digest.String()), remote.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("read what is to be tagged: %w", err)
	}
	return s.name(ctx, tag, raw{found.Manifest, found.MediaType})
}

// name puts a manifest or an index under a tag.
func (s shelf) name(ctx context.Context, tag string, r raw) error {
	if err := remote.Put(s.repo.Tag(tag), r, remote.WithContext(ctx)); err != nil {
		return fmt.Errorf("tag %s: %w", tag, err)
	}
	return nil
}

// artifact pushes an artifact of Flux's that holds one ConfigMap.
func (s shelf) artifact(ctx context.Context, content string, annotations map[string]string) (v1.Descriptor, error) {
	config, err := s.blob(ctx, fluxConfig, []byte(`{"architecture":"","created":"1970-01-01T00:00:00Z","os":"","rootfs":{"type":"layers","diff_ids":null},"config":{}}`))
	if err != nil {
		return config, err
	}
	packed, err := pack("manifests.yaml", fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: matrix, namespace: default}\ndata: {content: %q}\n", content))
	if err != nil {
		return config, err
	}
	layer, err := s.blob(ctx, fluxContent, packed)
	if err != nil {
		return layer, err
	}
	return s.put(ctx, manifest{Config: config, Layers: []v1.Descriptor{layer}, Annotations: annotations})
}

func pack(name, content string) ([]byte, error) {
	var out bytes.Buffer
	compressed := gzip.NewWriter(&out)
	archive := tar.NewWriter(compressed)
	if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
		return nil, err
	}
	if _, err := archive.Write([]byte(content)); err != nil {
		return nil, err
	}
	err := errors.Join(archive.Close(), compressed.Close())
	return out.Bytes(), err
}

// referrer stores content beside subject, as cosign stores a bundle if the layer is of its type, and returns the manifest.
func (s shelf) referrer(ctx context.Context, subject v1.Descriptor, edit func(*manifest), layers ...v1.Descriptor) (v1.Descriptor, error) {
	config, err := s.blob(ctx, emptyConfig, []byte("{}"))
	if err != nil {
		return config, err
	}
	m := manifest{
		ArtifactType: string(bundleType), Config: config, Layers: layers,
		Subject:     &v1.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size},
		Annotations: map[string]string{"dev.sigstore.bundle.content": "dsse-envelope", "dev.sigstore.bundle.predicateType": signPredicate},
	}
	if edit != nil {
		edit(&m)
	}
	return s.put(ctx, m)
}

// bundle stores a bundle beside subject.
func (s shelf) bundle(ctx context.Context, subject v1.Descriptor, content []byte) error {
	layer, err := s.blob(ctx, bundleType, content)
	if err == nil {
		_, err = s.referrer(ctx, subject, nil, layer)
	}
	return err
}

// legacyTag ends the tags of signatures of cosign's older format.
const legacyTag = ".sig"

// old is a signature of cosign's older format.
type old struct{ payload, signature []byte }

// legacy stores signatures at subject's `.sig` tag, in place of those that are there.
func (s shelf) legacy(ctx context.Context, subject v1.Descriptor, signatures ...old) error {
	m := manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
	var ids []string
	for _, o := range signatures {
		layer, err := s.blob(ctx, simpleType, o.payload)
		if err != nil {
			return err
		}
		layer.Annotations = map[string]string{"dev.cosignproject.cosign/signature": base64.StdEncoding.EncodeToString(o.signature)}
		m.Layers, ids = append(m.Layers, layer), append(ids, layer.Digest.String())
	}
	image, err := json.Marshal(map[string]any{"architecture": "", "os": "", "config": map[string]any{}, "rootfs": map[string]any{"type": "layers", "diff_ids": ids}})
	if err != nil {
		return err
	}
	if m.Config, err = s.blob(ctx, types.OCIConfigJSON, image); err != nil {
		return err
	}
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return s.name(ctx, fallbackTag(subject)+legacyTag, raw{text, m.MediaType})
}

// fallbackTag lists referrers where the registry does not.
func fallbackTag(subject v1.Descriptor) string { return "sha256-" + subject.Digest.Hex }

// manifest returns the bytes of the subject.
func (w *work) manifest(ctx context.Context) ([]byte, error) {
	found, err := remote.Get(w.repo.Digest(w.subject.Digest.String()), remote.WithContext(ctx))
	if err != nil {
		return nil, fmt.Errorf("read the artifact: %w", err)
	}
	return found.Manifest, nil
}

// list reads the list of referrers that clients keep.
func (w *work) list(ctx context.Context) (v1.IndexManifest, error) {
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	found, err := remote.Get(w.repo.Tag(fallbackTag(w.subject)), remote.WithContext(ctx))
	if refused := (*transport.Error)(nil); errors.As(err, &refused) && refused.StatusCode == http.StatusNotFound {
		return index, nil
	}
	if err != nil {
		return index, fmt.Errorf("read the list of referrers: %w", err)
	}
	return index, json.Unmarshal(found.Manifest, &index)
}
