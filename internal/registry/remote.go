package registry

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/singleflight"
	ociregistry "oras.land/oras-go/v2/registry"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
)

// RemoteOptions say how to reach a registry. Only Host is obligatory.
type RemoteOptions struct {
	Host   string // host name with an optional port: "ghcr.io"
	Prefix string // path that goes before every repository: "org/fleet"

	// PlainHTTP speaks HTTP. A loopback host is spoken to in plain HTTP without being told, unless CAFile or CertFile
	// shows that TLS is meant.
	PlainHTTP bool
	CAFile    string // PEM; trusted beside the system's authorities
	CertFile  string // PEM; client certificate
	KeyFile   string // PEM; its key

	// Credentials, when given, are the only ones. Otherwise docker's configuration is asked if DockerConfig is set:
	// $DOCKER_CONFIG or ~/.docker, with its credential helpers.
	Credentials  Credentials
	DockerConfig bool
	// PushScope asks token servers for the right to push from the start, so that a publish needs one token a
	// repository and not two.
	PushScope bool
	// Repositories are those that the run will touch, as far as they are known. Some share a token, instead of
	// fetching one each.
	Repositories []string

	UserAgent   string        // default "artifactctl"
	Timeout     time.Duration // of one attempt, answer included; default a minute
	Retries     int           // after the first attempt; default 5, negative for none
	Concurrency int           // requests in flight to one host; default 32; fewer while the host refuses some (429)
	MaxBlob     int64         // largest blob to fetch, in bytes; default MaxBlob

	// Legacy reads `.sig` signatures always. Otherwise they are read only where there is no bundle, since a consumer
	// that finds a bundle never looks at them.
	Legacy bool

	Cache     *Cache            // remembers signatures for Known; may be nil
	Counter   *Counter          // counts requests, if given
	Transport http.RoundTripper // replaces the network, TLS options included; for tests

	backoff *backoff // replaces the clock; for tests
}

// Remote is an OCI registry. It is safe for concurrent use.
type Remote struct {
	host   string
	prefix string
	plain  bool
	legacy bool
	limit  int64

	client    *client
	transport http.RoundTripper
	backoff   backoff
	cache     *Cache

	support support
	uploads uploads
	there   marks                        // manifests and blobs that are known to be there
	unknown recent[*Error]               // repositories that do not exist
	listed  recent[[]ocispec.Descriptor] // lists of referrers, as they were read after writing
	acked   recent[[]byte]               // what was just stored of a signature, and acknowledged
	flight  singleflight.Group           // uploads and look-ups of the same blob
	locks   locks
}

// NewRemote makes the client of a registry. It reads files and docker's configuration, and sends nothing yet.
func NewRemote(o RemoteOptions) (*Remote, error) {
	o = withDefaults(o)
	if err := (ociregistry.Reference{Registry: o.Host}).ValidateRegistry(); err != nil {
		return nil, fmt.Errorf("registry host %q is not valid: want a name with an optional port", o.Host)
	}
	r := &Remote{
		host:   o.Host,
		prefix: strings.Trim(o.Prefix, "/"),
		plain:  o.PlainHTTP || (loopback(o.Host) && o.CAFile == "" && o.CertFile == ""),
		legacy: o.Legacy,
		limit:  o.MaxBlob,
		cache:  o.Cache,
	}
	r.backoff = newBackoff(o.Retries)
	if o.backoff != nil {
		r.backoff = *o.backoff
	}
	if r.transport = o.Transport; r.transport == nil {
		t, err := newTransport(o)
		if err != nil {
			return nil, err
		}
		r.transport = t
	}
	base := r.transport
	if o.Counter != nil {
		base = o.Counter.Wrap(base)
	}
	credential, err := credentialFunc(o, o.Host)
	if err != nil {
		return nil, err
	}
	r.client = &client{
		now:       r.backoff.now,
		scopes:    r.scopes(o),
		onSubject: func(repository string) { r.support.learn(repository, referrersAPI) },
		onWrite:   r.unknown.drop,
		onUnknown: func(e *Error) { r.unknown.put(e.repository, r.backoff.now(), e) },
		auth: &auth.Client{
			Client: &http.Client{Transport: newRealms(challenges(&revalidator{cache: o.Cache, next: &exchange{
				base: base, limiters: limiters{max: o.Concurrency}, timeout: o.Timeout, backoff: r.backoff,
			}}))},
			Header:     http.Header{"User-Agent": {o.UserAgent}},
			Credential: credential,
			Cache:      tokens{auth.NewCache()},
			ClientID:   "artifactctl",
		},
	}
	return r, nil
}

// scopes are the rights that the run will need.
func (r *Remote) scopes(o RemoteOptions) *scopes {
	actions := []string{auth.ActionPull}
	if o.PushScope {
		actions = append(actions, auth.ActionPush)
	}
	var names []string
	for _, repository := range o.Repositories {
		names = append(names, r.full(repository))
	}
	return newScopes(ociregistry.Reference{Registry: o.Host}.Host(), names, actions...)
}

// full is a repository's name as the registry knows it.
func (r *Remote) full(repository string) string { return path.Join(r.prefix, repository) }

func withDefaults(o RemoteOptions) RemoteOptions {
	switch o.Host {
	case "index.docker.io", "registry-1.docker.io":
		o.Host = "docker.io"
	}
	if o.UserAgent == "" {
		o.UserAgent = "artifactctl"
	}
	if o.Timeout <= 0 {
		o.Timeout = time.Minute
	}
	if o.Retries == 0 {
		o.Retries = 5
	}
	if o.Concurrency <= 0 {
		o.Concurrency = 32
	}
	if o.MaxBlob <= 0 {
		o.MaxBlob = MaxBlob
	}
	return o
}

// loopback reports whether a registry is on this machine by its very name, as docker judges it.
func loopback(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.Trim(name, "[]")
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	ip := net.ParseIP(name)
	return ip != nil && ip.IsLoopback()
}

// Close closes idle connections.
func (r *Remote) Close() {
	if t, ok := r.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// open returns oras-go's client of a repository, and a context for its requests.
func (r *Remote) open(ctx context.Context, repository string) (context.Context, *remote.Repository, error) {
	ref := ociregistry.Reference{Registry: r.host, Repository: r.full(repository)}
	if err := checkRepository(repository); err != nil {
		return nil, nil, err
	}
	if err := ref.ValidateRepository(); err != nil {
		return nil, nil, fmt.Errorf("repository %q is not valid: want lower-case letters, digits, separators and slashes", ref.Repository)
	}
	ctx = r.client.scopes.with(ctx, ref.Repository)
	repo := &remote.Repository{
		Client:               r.client,
		Reference:            ref,
		PlainHTTP:            r.plain,
		MaxMetadataBytes:     MaxManifest,
		TagListMaxPages:      1000,
		ReferrerListMaxPages: 100,
		SkipReferrersGC:      true,
		ManifestMediaTypes: []string{
			ocispec.MediaTypeImageManifest,
			ocispec.MediaTypeImageIndex,
			"application/vnd.docker.distribution.manifest.v2+json",
			"application/vnd.docker.distribution.manifest.list.v2+json",
		},
	}
	// Referrers are indexed by link, which reads back what it wrote; this keeps oras-go from doing it as well.
	if err := repo.SetReferrersCapability(true); err != nil {
		return nil, nil, err
	}
	return ctx, repo, nil
}

// checkRepository refuses what is no repository's name, climbing paths above all: path.Join must not see them.
func checkRepository(repository string) error {
	if err := (ociregistry.Reference{Registry: "x", Repository: repository}).ValidateRepository(); err != nil {
		return fmt.Errorf("repository %q is not valid: want lower-case letters, digits, separators and slashes", repository)
	}
	return nil
}

// checkTag refuses what is no tag.
func checkTag(tag string) error {
	if err := (ociregistry.Reference{Registry: "x", Repository: "x", Reference: tag}).ValidateReferenceAsTag(); err != nil {
		return fmt.Errorf("tag %q is not valid: want up to 128 letters, digits, '_', '.' and '-'", tag)
	}
	return nil
}

// locks are named locks of this process.
type locks struct{ held sync.Map }

func (l *locks) acquire(ctx context.Context, key string) (func(), error) {
	v, _ := l.held.LoadOrStore(key, make(chan struct{}, 1))
	lock := v.(chan struct{})
	select {
	case lock <- struct{}{}:
		return func() { <-lock }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
