package registry

import (
	"net/http"
	"net/url"
	"strings"
)

// kind is which of a registry's endpoints a request goes to.
type kind string

const (
	manifestsKind kind = "manifests"
	blobsKind     kind = "blobs"
	uploadsKind   kind = "uploads"
	referrersKind kind = "referrers"
	tagsKind      kind = "tags"
	otherKind     kind = "other" // a token server, or the storage that a registry redirects to
)

// where is what a request is about.
type where struct {
	kind       kind
	host       string
	repository string
	ref        string // tag or digest
}

// place reads a request's URL: /v2/<repository>/<kind>/<ref>. The places of uploads are the registry's own choice; what
// writes a blob is one wherever it goes.
func place(req *http.Request) where {
	w := where{kind: otherKind, host: req.URL.Host}
	path, ok := strings.CutPrefix(req.URL.Path, "/v2/")
	elements := strings.Split(path, "/")
	n := len(elements)
	switch {
	case ok && n >= 4 && elements[n-3] == "blobs" && elements[n-2] == "uploads":
		w.kind, w.repository = uploadsKind, strings.Join(elements[:n-3], "/")
	case ok && n >= 3:
		switch k := kind(elements[n-2]); k {
		case manifestsKind, blobsKind, referrersKind, tagsKind:
			w.kind, w.repository, w.ref = k, strings.Join(elements[:n-2], "/"), elements[n-1]
		}
	}
	if w.kind == blobsKind && w.ref == "uploads" {
		w.kind, w.ref = uploadsKind, ""
	}
	if w.kind == otherKind && (req.Method == http.MethodPut || req.Method == http.MethodPatch) {
		w.kind = uploadsKind
	}
	return w
}

// String is the place as people write it, without scheme, credentials and query.
func (w where) String() string {
	name := w.host
	if w.repository != "" {
		name += "/" + w.repository
	}
	switch w.kind {
	case uploadsKind:
		return name + " (blob upload)"
	case tagsKind:
		return name + " (tags)"
	case referrersKind:
		return name + "@" + w.ref + " (referrers)"
	case manifestsKind, blobsKind:
		if strings.Contains(w.ref, ":") {
			return name + "@" + w.ref
		}
		return name + ":" + w.ref
	default:
		return name
	}
}

// bare is a URL for a message: without credentials, query and fragment, where tokens and signatures travel.
func bare(u *url.URL) string {
	if server, ok := strings.CutPrefix(u.Path, realmPrefix); ok {
		return u.Scheme + "://" + server
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
