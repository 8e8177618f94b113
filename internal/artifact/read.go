package artifact

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Bounds of what Unpack accepts, far beyond any real artifact: what is compared comes from a registry that others may
// write to.
const (
	MaxUnpacked = 1 << 30 // bytes
	MaxFiles    = 200_000
)

// ParseManifest reads an image manifest. The descriptor is computed from the bytes. Bytes that are no image manifest
// are ErrFormat, with a Manifest that still says descriptor and bytes.
func ParseManifest(mediaType string, b []byte) (Manifest, error) {
	m := Manifest{Descriptor: Describe(mediaType, b), Bytes: b, Annotations: map[string]string{}}
	var parsed ocispec.Manifest
	if err := json.Unmarshal(b, &parsed); err != nil {
		return m, fmt.Errorf("manifest %s: %w: %w", m.Digest, err, ErrFormat)
	}
	if mediaType != ManifestMediaType || (parsed.MediaType != "" && parsed.MediaType != mediaType) {
		return m, fmt.Errorf("manifest %s is %s, which is no image manifest: %w", m.Digest, mediaType, ErrFormat)
	}
	m.Config, m.Layers = parsed.Config, parsed.Layers
	if parsed.Annotations != nil {
		m.Annotations = parsed.Annotations
	}
	return m, nil
}

// ContentLayer returns the layer that Flux would extract. A manifest that is not exactly one gzipped tar of Flux's media
// type is ErrFormat: signing it could vouch for more than was compared.
func (m Manifest) ContentLayer() (Descriptor, error) {
	if len(m.Layers) != 1 || m.Layers[0].MediaType != LayerMediaType {
		return Descriptor{}, fmt.Errorf("manifest %s has not exactly one layer of type %s: %w", m.Digest, LayerMediaType, ErrFormat)
	}
	return m.Layers[0], nil
}

// Unpack returns the regular files of a layer, as Flux's consumer would see them: links and special files are left out.
// Archives that could mean different things to different readers (absolute or climbing paths, a path twice) and
// archives beyond the bounds are ErrFormat.
func Unpack(layer []byte) (Files, error) {
	zr, err := gzip.NewReader(bytes.NewReader(layer))
	if err != nil {
		return nil, fmt.Errorf("layer is not gzip: %w: %w", err, ErrFormat)
	}
	files := Files{}
	tr := tar.NewReader(io.LimitReader(zr, MaxUnpacked))
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read the layer's tar: %w: %w", err, ErrFormat)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if err := unpackFile(files, h, tr); err != nil {
			return nil, err
		}
	}
}

func unpackFile(files Files, h *tar.Header, r io.Reader) error {
	name := strings.TrimPrefix(h.Name, "./")
	if err := checkPath(name); err != nil {
		return err
	}
	name = path.Clean(name)
	if _, twice := files[name]; twice || len(files) >= MaxFiles {
		return fmt.Errorf("layer has %q twice, or more than %d files: %w", name, MaxFiles, ErrFormat)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("unpack %s: %w: %w", name, err, ErrFormat)
	}
	files[name] = content
	return nil
}
