package registry

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// fake is a registry that is stricter than most: it refuses manifests whose blobs are missing, upload sessions that are
// used twice and digests that are wrong. It is there to misbehave on demand: before sees each request first, and answers
// it itself by returning true.
type fake struct {
	t         *testing.T
	API       bool // has the referrers API
	NoSubject bool // has it, but does not say so when a manifest is put (ECR)
	Mount     bool // mounts blobs
	Whole     bool // takes blobs in one request
	Nameless  bool // does not say that a repository is unknown, only that a manifest is (distribution)
	Page      int  // entries a page of referrers and tags
	Auth      *fakeAuth

	mu        sync.Mutex
	before    func(w http.ResponseWriter, r *http.Request) bool
	blobs     map[string][]byte // repository@digest
	manifests map[string]stored // repository@digest, repository:tag
	sessions  map[string]bool
	requests  []string
	log       []*http.Request
}

type stored struct {
	mediaType string
	content   []byte
}

func newFake(t *testing.T, api bool) (*fake, *httptest.Server) {
	t.Helper()
	f := &fake{t: t, API: api, Mount: true, Page: 1000, blobs: map[string][]byte{}, manifests: map[string]stored{}, sessions: map[string]bool{}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return f, server
}

// Before installs a fault.
func (f *fake) Before(fn func(w http.ResponseWriter, r *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before = fn
}

// Requests returns the requests since the last call: method and path, with digests and upload sessions made readable.
func (f *fake) Requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.requests
	f.requests, f.log = nil, nil
	return all
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	before := f.before
	f.requests = append(f.requests, r.Method+" "+r.URL.Path)
	f.log = append(f.log, r.Clone(r.Context()))
	f.mu.Unlock()
	if before != nil && before(w, r) {
		return
	}
	if f.Auth != nil && !f.Auth.allow(w, r) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	where := place(r)
	switch {
	case where.kind == manifestsKind:
		f.manifest(w, r, where.repository, where.ref)
	case where.kind == blobsKind:
		f.blob(w, r, where.repository, where.ref)
	case where.kind == uploadsKind:
		f.upload(w, r, where.repository)
	case where.kind == tagsKind:
		f.tags(w, r, where.repository)
	case where.kind == referrersKind && f.API:
		f.referrers(w, r, where.repository, where.ref)
	default:
		http.NotFound(w, r)
	}
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []any{
		map[string]any{"code": code, "message": message, "detail": map[string]string{"secret": "detail"}},
	}})
}

func key(repository, ref string) string {
	if strings.Contains(ref, ":") {
		return repository + "@" + ref
	}
	return repository + ":" + ref
}

func (f *fake) known(repository string) bool {
	for k := range f.manifests {
		if strings.HasPrefix(k, repository+"@") {
			return true
		}
	}
	return false
}

func (f *fake) manifest(w http.ResponseWriter, r *http.Request, repository, ref string) {
	if r.Method == http.MethodPut {
		f.putManifest(w, r, repository, ref)
		return
	}
	m, ok := f.manifests[key(repository, ref)]
	if r.Method == http.MethodDelete && ok {
		digest := digest.FromBytes(m.content).String()
		for k, s := range f.manifests {
			if k == key(repository, ref) || (strings.Contains(ref, ":") && strings.HasPrefix(k, repository+":") && string(s.content) == string(m.content)) {
				delete(f.manifests, k)
			}
		}
		w.Header().Set(headerDigest, digest)
		w.WriteHeader(http.StatusAccepted)
		return
	}
	switch {
	case !ok && !f.Nameless && !f.known(repository):
		refuse(w, http.StatusNotFound, "NAME_UNKNOWN", "repository name not known to registry")
	case !ok:
		refuse(w, http.StatusNotFound, "MANIFEST_UNKNOWN", "manifest unknown")
	case !strings.Contains(r.Header.Get("Accept"), m.mediaType):
		refuse(w, http.StatusNotFound, "MANIFEST_UNKNOWN", "not accepted: "+m.mediaType)
	default:
		w.Header().Set("Content-Type", m.mediaType)
		w.Header().Set(headerDigest, digest.FromBytes(m.content).String())
		w.Header().Set("Content-Length", strconv.Itoa(len(m.content)))
		_, _ = w.Write(m.content)
	}
}

func (f *fake) putManifest(w http.ResponseWriter, r *http.Request, repository, ref string) {
	body, err := io.ReadAll(r.Body)
	var m ocispec.Manifest
	if err != nil || json.Unmarshal(body, &m) != nil {
		refuse(w, http.StatusBadRequest, "MANIFEST_INVALID", "cannot read")
		return
	}
	d := digest.FromBytes(body)
	if strings.Contains(ref, ":") && ref != d.String() {
		refuse(w, http.StatusBadRequest, "DIGEST_INVALID", "digest mismatch")
		return
	}
	if m.MediaType == ocispec.MediaTypeImageManifest {
		for _, b := range append(m.Layers, m.Config) {
			if have, ok := f.blobs[key(repository, b.Digest.String())]; !ok || int64(len(have)) != b.Size {
				refuse(w, http.StatusBadRequest, "MANIFEST_BLOB_UNKNOWN", "blob unknown "+b.Digest.String())
				return
			}
		}
	}
	s := stored{r.Header.Get("Content-Type"), body}
	f.manifests[key(repository, d.String())], f.manifests[key(repository, ref)] = s, s
	if m.Subject != nil && f.API && !f.NoSubject {
		w.Header().Set(headerSubject, m.Subject.Digest.String())
	}
	w.Header().Set(headerDigest, d.String())
	w.WriteHeader(http.StatusCreated)
}

func (f *fake) blob(w http.ResponseWriter, _ *http.Request, repository, ref string) {
	content, ok := f.blobs[key(repository, ref)]
	if !ok {
		refuse(w, http.StatusNotFound, "BLOB_UNKNOWN", "blob unknown to registry")
		return
	}
	w.Header().Set(headerDigest, ref)
	w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	_, _ = w.Write(content)
}

func (f *fake) upload(w http.ResponseWriter, r *http.Request, repository string) {
	if r.Method == http.MethodPost {
		if f.atOnce(w, r, repository) {
			return
		}
		id := strconv.Itoa(len(f.sessions))
		f.sessions[id] = true
		w.Header().Set("Location", "/v2/"+repository+"/blobs/uploads/"+id+"?_state=secret-state")
		w.WriteHeader(http.StatusAccepted)
		return
	}
	id := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	if !f.sessions[id] || r.URL.Query().Get("_state") == "" {
		refuse(w, http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
		return
	}
	delete(f.sessions, id)
	f.sessions["used-"+id] = true
	body, err := io.ReadAll(r.Body)
	d := digest.Digest(r.URL.Query().Get("digest"))
	if err != nil || digest.FromBytes(body) != d {
		refuse(w, http.StatusBadRequest, "DIGEST_INVALID", "provided digest did not match uploaded content")
		return
	}
	f.blobs[key(repository, d.String())] = body
	w.WriteHeader(http.StatusCreated)
}

// atOnce stores a blob that needs no session, if this registry can.
func (f *fake) atOnce(w http.ResponseWriter, r *http.Request, repository string) bool {
	query := r.URL.Query()
	d := query.Get("mount")
	content, there := f.blobs[key(query.Get("from"), d)]
	there = there && f.Mount
	if f.Whole && query.Has("digest") {
		d = query.Get("digest")
		body, err := io.ReadAll(r.Body)
		if err != nil || digest.FromBytes(body).String() != d {
			refuse(w, http.StatusBadRequest, "DIGEST_INVALID", "provided digest did not match uploaded content")
			return true
		}
		content, there = body, true
	}
	if !there {
		return false
	}
	f.blobs[key(repository, d)] = content
	w.Header().Set(headerDigest, d)
	w.WriteHeader(http.StatusCreated)
	return true
}

// page cuts one page out of n entries and announces the next.
func (f *fake) page(w http.ResponseWriter, r *http.Request, n int) (from, to int) {
	from, _ = strconv.Atoi(r.URL.Query().Get("from"))
	to = min(from+f.Page, n)
	if to < n {
		w.Header().Set("Link", fmt.Sprintf(`<%s?from=%d>; rel="next"`, r.URL.Path, to))
	}
	return from, to
}

func (f *fake) tags(w http.ResponseWriter, r *http.Request, repository string) {
	if !f.known(repository) {
		refuse(w, http.StatusNotFound, "NAME_UNKNOWN", "repository name not known to registry")
		return
	}
	var tags []string
	for k := range f.manifests {
		if tag, ok := strings.CutPrefix(k, repository+":"); ok {
			tags = append(tags, tag)
		}
	}
	slices.Sort(tags)
	slices.Reverse(tags)
	from, to := f.page(w, r, len(tags))
	_ = json.NewEncoder(w).Encode(map[string]any{"name": repository, "tags": tags[from:to]})
}

func (f *fake) referrers(w http.ResponseWriter, r *http.Request, repository, subject string) {
	list := []ocispec.Descriptor{}
	for _, k := range slices.Sorted(maps.Keys(f.manifests)) {
		s := f.manifests[k]
		var m ocispec.Manifest
		if !strings.HasPrefix(k, repository+"@") || json.Unmarshal(s.content, &m) != nil || m.Subject == nil || m.Subject.Digest.String() != subject {
			continue
		}
		list = append(list, ocispec.Descriptor{
			MediaType: s.mediaType, Digest: digest.FromBytes(s.content), Size: int64(len(s.content)), ArtifactType: m.ArtifactType,
		})
	}
	from, to := f.page(w, r, len(list))
	w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
	_ = json.NewEncoder(w).Encode(ocispec.Index{MediaType: ocispec.MediaTypeImageIndex, Manifests: list[from:to]})
}

// fakeAuth is a login: user "user", password "hunter2".
type fakeAuth struct {
	Challenges []string // the WWW-Authenticate headers; %s is the realm
	Basic      bool     // accepts Basic, too
	Uses       int      // requests that a token is good for; 0 means any number
	Denied     string   // repository that nobody may use; tokens are then good for what they were asked for only
	AllOrNone  bool     // refuses a token that is asked for more than one repository

	mu         sync.Mutex
	issued     int
	challenged int
	granted    map[string][]string // by token
	left       map[string]int
	scopes     []string
}

const realmPath = "/v2/token"

func (a *fakeAuth) allow(w http.ResponseWriter, r *http.Request) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	login := "Basic " + base64.StdEncoding.EncodeToString([]byte("user:hunter2"))
	header := r.Header.Get("Authorization")
	if r.URL.Path == realmPath {
		if header != login {
			refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "wrong password")
			return false
		}
		scopes := r.URL.Query()["scope"]
		if a.AllOrNone && len(scopes) > 1 {
			refuse(w, http.StatusForbidden, "DENIED", "one at a time")
			return false
		}
		a.issued++
		token := fmt.Sprintf("token-%d", a.issued)
		if a.left == nil {
			a.left = map[string]int{}
		}
		a.left["Bearer "+token] = 1 << 30
		if a.Uses > 0 {
			a.left["Bearer "+token] = a.Uses
		}
		if a.granted == nil {
			a.granted = map[string][]string{}
		}
		a.granted["Bearer "+token] = scopes
		a.scopes = append(a.scopes, scopes...)
		fmt.Fprintf(w, `{"token":%q}`, token)
		return false
	}
	if a.Basic && header == login {
		return true
	}
	if a.left[header] > 0 && a.covers(header, place(r).repository) {
		a.left[header]--
		return true
	}
	a.challenged++
	for _, c := range a.Challenges {
		w.Header().Add("WWW-Authenticate", strings.ReplaceAll(c, "%s", "http://"+r.Host+realmPath))
	}
	refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
	return false
}

// covers reports whether a token is good for a repository.
func (a *fakeAuth) covers(token, repository string) bool {
	if a.Denied == "" && !a.AllOrNone {
		return true
	}
	return repository != a.Denied && slices.ContainsFunc(a.granted[token], func(scope string) bool {
		return strings.HasPrefix(scope, "repository:"+repository+":")
	})
}
