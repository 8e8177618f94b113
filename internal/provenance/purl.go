package provenance

import (
	"net/url"
	"path"
	"strings"

	"github.com/artifactctl/artifactctl/internal/inventory"
)

// imageURL is the package URL of an image (purl-spec, type oci): its version is the digest, if it is pinned. A name without
// a host means Docker Hub in every cluster (kubernetes.io, "Images").
func imageURL(i inventory.Image) string {
	repository := i.Name
	if host, _, ok := strings.Cut(repository, "/"); !ok || !strings.ContainsAny(host, ".:") && host != "localhost" {
		if !ok {
			repository = "library/" + repository
		}
		repository = "docker.io/" + repository
	}
	u := "pkg:oci/" + url.PathEscape(strings.ToLower(path.Base(repository)))
	if i.Digest != "" {
		u += "@" + escape(i.Digest)
	}
	u += "?repository_url=" + escape(repository)
	if i.Tag != "" {
		u += "&tag=" + escape(i.Tag)
	}
	return u
}

// helmURL is the package URL of a chart (purl-spec, type helm).
func helmURL(name, version, repository string) string {
	u := "pkg:helm/" + url.PathEscape(name)
	if version != "" {
		u += "@" + escape(version)
	}
	if repository != "" {
		u += "?repository_url=" + escape(repository)
	}
	return u
}

// escape leaves slashes as they are, which purl-spec allows in versions and qualifiers.
func escape(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "%2F", "/") }
