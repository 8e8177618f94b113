package peers

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// Patterns of the OCI distribution API and of the tags that hold signatures: the referrers fallback ("sha256-<hex>")
// and cosign's older scheme ("sha256-<hex>.sig").
var (
	manifestPath = regexp.MustCompile(`^/v2/(.+)/manifests/([^/]+)$`)
	signatureTag = regexp.MustCompile(`^sha256-[0-9a-f]{64}(\.(sig|att|sbom))?$`)
)

// IsWrite tells whether a request with this method can change the registry.
func IsWrite(method string) bool {
	switch method {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return true
	}
	return false
}

// IsSignatureTag tells whether a tag holds signatures, not content.
func IsSignatureTag(tag string) bool { return signatureTag.MatchString(tag) }

// tagOf returns the repository and tag that req writes, when it writes a tag that names content.
func tagOf(req *http.Request) (repository, tag string, ok bool) {
	m := manifestPath.FindStringSubmatch(req.URL.Path)
	if req.Method != http.MethodPut || m == nil || strings.HasPrefix(m[2], "sha256:") || IsSignatureTag(m[2]) {
		return "", "", false
	}
	return m[1], m[2], true
}

// Class names what a request is for, without names and digests: "PUT tag", "HEAD blob". Requests of one class cost the
// registry the same.
func (r Request) Class() string {
	path, _, _ := strings.Cut(r.Path, "?")
	what := "other"
	switch m := manifestPath.FindStringSubmatch(path); {
	case m != nil && strings.HasPrefix(m[2], "sha256:"):
		what = "manifest by digest"
	case m != nil && IsSignatureTag(m[2]):
		what = "signature tag"
	case m != nil:
		what = "tag"
	case strings.Contains(path, "/blobs/uploads"):
		what = "upload"
	case strings.Contains(path, "/blobs/"):
		what = "blob"
	case strings.Contains(path, "/referrers/"):
		what = "referrers"
	case strings.HasSuffix(path, "/tags/list"):
		what = "tag list"
	case path == "/v2/":
		what = "ping"
	}
	return r.Method + " " + what
}

// String is the request as one line: method, path, status.
func (r Request) String() string { return fmt.Sprintf("%s %s %d", r.Method, r.Path, r.Status) }

// Count returns how many requests there were of each class.
func Count(requests []Request) map[string]int {
	classes := make(map[string]int)
	for _, r := range requests {
		classes[r.Class()]++
	}
	return classes
}
