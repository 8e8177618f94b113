package artifact

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/opencontainers/go-digest"
)

// compression is the gzip level. The encoder is a module pinned in go.mod rather than the standard library, because
// compress/flate's output changed with Go 1.27 and an artifact's digest must not depend on the toolchain. A golden test
// fails when an update of the module changes a byte.
const compression = 6

// encoders are used again: making one takes four times as long as packing a small app. What one writes does not depend on
// what it wrote before, which TestEncodersForget holds.
//
//nolint:gochecknoglobals // nothing can be told from a pool
var encoders = sync.Pool{New: func() any {
	zw, _ := gzip.NewWriterLevel(nil, compression) // it refuses levels that do not exist
	return zw
}}

// config is the config blob of flux 2.9. Nothing reads it; being constant it is uploaded once a repository.
const config = `{"architecture":"","created":"0001-01-01T00:00:00Z","os":"","rootfs":{"type":"layers","diff_ids":null},"config":{}}`

// Build makes the artifact of these files. Its digest depends on files and meta alone. An empty set, a path that
// cannot be unpacked everywhere, a path that is both file and directory, and an annotation that would replace one of the
// tool's own are ErrFormat.
func Build(files Files, meta Meta) (*Artifact, error) {
	if len(files) == 0 {
		return nil, fmt.Errorf("there are no files to publish: %w", ErrFormat)
	}
	layer, err := pack(files)
	if err != nil {
		return nil, err
	}
	a := &Artifact{Config: blob(ConfigMediaType, []byte(config)), Layer: blob(LayerMediaType, layer)}
	annotations := map[string]string{
		AnnotationCreated:  meta.Created,
		AnnotationSource:   meta.Source,
		AnnotationRevision: meta.Revision,
		AnnotationContent:  ContentDigest(files),
	}
	for k, v := range meta.Annotations {
		if _, taken := annotations[k]; taken {
			return nil, fmt.Errorf("annotation %q is set by artifactctl: %w", k, ErrFormat)
		}
		annotations[k] = v
	}
	a.Manifest, err = manifest(a.Config.Descriptor, a.Layer.Descriptor, annotations)
	return a, err
}

// manifest writes the manifest in the field order of go-containerregistry, which is what Flux pushes.
func manifest(config, layer Descriptor, annotations map[string]string) (Manifest, error) {
	type descriptor struct {
		MediaType string        `json:"mediaType"`
		Size      int64         `json:"size"`
		Digest    digest.Digest `json:"digest"`
	}
	short := func(d Descriptor) descriptor { return descriptor{d.MediaType, d.Size, d.Digest} }
	b, err := json.Marshal(struct {
		SchemaVersion int               `json:"schemaVersion"`
		MediaType     string            `json:"mediaType"`
		Config        descriptor        `json:"config"`
		Layers        []descriptor      `json:"layers"`
		Annotations   map[string]string `json:"annotations"`
	}{2, ManifestMediaType, short(config), []descriptor{short(layer)}, annotations})
	if err != nil {
		return Manifest{}, fmt.Errorf("write the manifest: %w", err)
	}
	return Manifest{
		Descriptor:  Describe(ManifestMediaType, b),
		Bytes:       b,
		Config:      config,
		Layers:      []Descriptor{layer},
		Annotations: maps.Clone(annotations),
	}, nil
}

// Describe returns the descriptor of these bytes.
func Describe(mediaType string, content []byte) Descriptor {
	return Descriptor{MediaType: mediaType, Digest: digest.FromBytes(content), Size: int64(len(content))}
}

func blob(mediaType string, content []byte) Blob {
	return Blob{Descriptor: Describe(mediaType, content), Content: content}
}

// pack writes the tar.gz as fluxcd/pkg/tar does (root entry ".", directories without a trailing slash, depth first in
// lexical order, no owner), with the modes normalised that Flux would copy from the machine.
func pack(files Files) ([]byte, error) {
	entries, err := layout(files)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	zw := encoders.Get().(*gzip.Writer)
	defer encoders.Put(zw)
	zw.Reset(&out)
	zw.ModTime = time.Unix(0, 0) // "no time": this encoder would write a zero time.Time as a date
	tw := tar.NewWriter(zw)
	for _, name := range entries {
		content, isFile := files[name]
		h := &tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o755, ModTime: time.Unix(0, 0)}
		if isFile {
			h.Typeflag, h.Mode, h.Size = tar.TypeReg, 0o644, int64(len(content))
		}
		if err := tw.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("pack %s: %w", name, err)
		}
		if _, err := tw.Write(content); err != nil {
			return nil, fmt.Errorf("pack %s: %w", name, err)
		}
	}
	if err := tw.Close(); err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	if err := zw.Close(); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	return out.Bytes(), nil
}

// layout lists the root, all directories and all files in the order of filepath.WalkDir.
func layout(files Files) ([]string, error) {
	dirs := map[string]bool{".": true}
	names := []string{"."}
	for p := range files {
		if err := checkPath(p); err != nil {
			return nil, err
		}
		names = append(names, p)
		for dir := path.Dir(p); !dirs[dir]; dir = path.Dir(dir) {
			dirs[dir] = true
			names = append(names, dir)
		}
	}
	for dir := range dirs {
		if _, clash := files[dir]; clash {
			return nil, fmt.Errorf("%q is both a file and a directory: %w", dir, ErrFormat)
		}
	}
	slices.SortFunc(names, walkOrder)
	return names, nil
}

// walkOrder sorts a directory's content right behind it: "a", "a/b", "a.txt". The root comes first.
func walkOrder(a, b string) int {
	if a == "." || b == "." {
		return strings.Compare(strings.TrimPrefix(a, "."), strings.TrimPrefix(b, "."))
	}
	return strings.Compare(strings.ReplaceAll(a, "/", "\x00"), strings.ReplaceAll(b, "/", "\x00"))
}
