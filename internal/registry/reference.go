package registry

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"
	ociregistry "oras.land/oras-go/v2/registry"
)

// Schemes of references.
const (
	ociScheme    = "oci://"
	layoutScheme = "oci-layout:"
)

// Reference names one artifact in a registry, or in a directory of OCI image layouts.
type Reference struct {
	Host       string // of a registry, with an optional port; empty for a directory
	Dir        string // directory that Repository is below; empty for a registry
	Repository string // path, without a tag
	Ref        string // tag or digest; a digest wins where both are given, as it does for Flux
}

// String is the reference as a user writes it.
func (r Reference) String() string {
	separator := ":"
	if strings.Contains(r.Ref, ":") {
		separator = "@"
	}
	if r.Dir != "" {
		return layoutScheme + filepath.Join(r.Dir, filepath.FromSlash(r.Repository)) + separator + r.Ref
	}
	return ociScheme + r.Host + "/" + r.Repository + separator + r.Ref
}

// ParseReference reads "oci://host/repository:tag", "oci://host/repository@sha256:…" and the same of a directory that
// holds one image layout, "oci-layout:dir:tag". A tag or a digest is obligatory. Nothing is looked up.
func ParseReference(text string) (Reference, error) {
	if rest, ok := strings.CutPrefix(text, ociScheme); ok {
		name, ref, err := cutRef(rest)
		if err != nil {
			return Reference{}, fmt.Errorf("reference %q: %w", text, err)
		}
		host, repository, _ := strings.Cut(name, "/")
		whole := ociregistry.Reference{Registry: host, Repository: repository}
		if whole.ValidateRegistry() != nil || host == "" || whole.ValidateRepository() != nil {
			return Reference{}, fmt.Errorf("reference %q: want a host, and a repository in lower case", text)
		}
		return Reference{Host: host, Repository: repository, Ref: ref}, nil
	}
	rest, ok := strings.CutPrefix(text, layoutScheme)
	if !ok {
		return Reference{}, fmt.Errorf("reference %q begins neither with %s nor with %s", text, ociScheme, layoutScheme)
	}
	name, ref, err := cutRef(filepath.ToSlash(rest))
	if err != nil {
		return Reference{}, fmt.Errorf("reference %q: %w", text, err)
	}
	abs, err := filepath.Abs(filepath.FromSlash(name))
	if err != nil {
		return Reference{}, fmt.Errorf("reference %q: %w", text, err)
	}
	r := Reference{Dir: filepath.Dir(abs), Repository: filepath.Base(abs), Ref: ref}
	if err := checkRepository(r.Repository); err != nil {
		return Reference{}, fmt.Errorf("reference %q: %w", text, err)
	}
	return r, nil
}

// cutRef cuts tag and digest off a name.
func cutRef(text string) (name, ref string, err error) {
	name, pinned, hasDigest := strings.Cut(text, "@")
	tagged := false
	if i := strings.LastIndex(name, ":"); i > strings.LastIndex(name, "/") {
		name, ref, tagged = name[:i], name[i+1:], true
	}
	switch {
	case tagged && checkTag(ref) != nil:
		return "", "", checkTag(ref)
	case hasDigest:
		if err := digest.Digest(pinned).Validate(); err != nil {
			return "", "", fmt.Errorf("%q is no digest", pinned)
		}
		return name, pinned, nil
	case !tagged:
		return "", "", errors.New("it has neither a tag nor a digest")
	}
	return name, ref, nil
}
