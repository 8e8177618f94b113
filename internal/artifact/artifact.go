// Package artifact turns a set of files into a Flux artifact and back. Everything here is a pure function of its
// arguments: no clock, no file system, no network, no environment. Same files and same Meta give the same bytes on
// every machine. What a registry or a consumer does with the bytes is not its business.
//
// The format is that of `flux push artifact` (fluxcd/pkg/oci, build.go and push.go; fluxcd/pkg/tar, tar.go).
package artifact

import (
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Media types of a Flux artifact (fluxcd/pkg/oci, globals.go).
const (
	ManifestMediaType = ocispec.MediaTypeImageManifest
	ConfigMediaType   = "application/vnd.cncf.flux.config.v1+json"
	LayerMediaType    = "application/vnd.cncf.flux.content.v1.tar+gzip"
)

// Annotations of a Flux artifact; the first three are always there. AnnotationContent is ours: the digest of the
// uncompressed content (see ContentDigest), so that "changed?" costs one request.
const (
	AnnotationCreated  = ocispec.AnnotationCreated
	AnnotationSource   = ocispec.AnnotationSource
	AnnotationRevision = ocispec.AnnotationRevision
	AnnotationContent  = "dev.artifactctl.content-digest"
)

// ManifestsFile is the one file of a rendered artifact.
const ManifestsFile = "manifests.yaml"

// Files is a set of regular files: slash-separated path relative to the root → content. Modes, times and owners do
// not exist here: they never reach an artifact.
type Files map[string][]byte

// Descriptor names bytes in a registry: media type, digest and size.
type Descriptor = ocispec.Descriptor

// Blob is bytes together with the descriptor that names them.
type Blob struct {
	Descriptor
	Content []byte
}

// Artifact is a built artifact, ready to be pushed by digest.
type Artifact struct {
	Manifest Manifest
	Config   Blob
	Layer    Blob
}

// Manifest is a manifest as a registry stores it. Bytes are authoritative: Descriptor.Digest is their sha256.
type Manifest struct {
	Descriptor
	Bytes       []byte
	Config      Descriptor
	Layers      []Descriptor
	Annotations map[string]string // never nil
}

// Meta is what an artifact says of itself.
type Meta struct {
	Source      string            // remote URL without credentials
	Revision    string            // "<branch or tag>@sha1:<commit>"
	Created     string            // RFC 3339, UTC
	Annotations map[string]string // further annotations; may not replace the four above
}

// Format is how a signature is stored beside its subject.
type Format string

// The formats: a Sigstore bundle as an OCI 1.1 referrer (Flux 2.8 and later), or cosign's older `.sig` tag.
const (
	FormatBundle Format = "bundle"
	FormatLegacy Format = "legacy"
)

// Signature is one signature as it is stored beside an artifact.
type Signature struct {
	Format Format
	// Content is the bundle's JSON, or for FormatLegacy the simple-signing payload.
	Content []byte
	// Value is the raw signature over Content; FormatLegacy only.
	Value []byte
	// Certificate is who signed, in PEM, where no plain key did; FormatLegacy only, for a bundle holds its own.
	Certificate []byte
	// PredicateType is shown by tools that list referrers; FormatBundle only.
	PredicateType string
	// Digest names the referrer manifest (or the `.sig` layer) when the signature was read from a registry.
	Digest string
}
