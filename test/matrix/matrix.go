// Package matrix is the list of situations in which an artifact can be found in a registry: signed rightly, wrongly,
// twice, by somebody else, or not at all. It makes each of them and says what a verifier has to answer. It verifies
// nothing: tests ask artifactctl, the code of Flux, and Flux itself, and compare.
package matrix

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/artifactctl/artifactctl/test/peers"
)

// State is a verdict of artifactctl, as `artifactctl verify -o json` prints it.
type State string

// The states. Flux knows two: it accepts what is Signed, and refuses all else.
const (
	Signed   State = "signed"
	Unsigned State = "unsigned"
	Unknown  State = "unknown"
	Missing  State = "missing"
)

// Tag is the tag that every case is about.
const Tag = "v1"

// Case is one situation and what has to be said of it.
type Case struct {
	// Name is unique and fit for a repository, and for a name in Kubernetes.
	Name string
	// Policy is whom the verifier trusts.
	Policy Policy
	// Want is what artifactctl has to answer.
	Want State
	// Reason is a part of what artifactctl has to say beside it.
	Reason string
	// Stricter says why artifactctl does not accept what Flux accepts. Empty: the two agree.
	Stricter string
	// Cluster marks the cases to run through a real source-controller, too.
	Cluster bool
	// Kind is the only kind of registry in which the case makes sense; empty: any.
	Kind string

	// Attested tells that a provenance and a bill of materials by somebody trusted are to be seen beside it.
	Attested bool

	steps []step
	fault *fault
	// stray: what is attached first is in the end not listed beside what Tag names.
	stray bool
	// closed: nothing can be attached any more, as the registry takes no list with what is gone.
	closed bool
}

// Policy is whom a verifier trusts: any of some keys, or an identity.
type Policy struct {
	// Keys are public keys in PEM, one or more: the data of the Secret that verify.secretRef names.
	Keys [][]byte
	// Identity is the only entry of verify.matchOIDCIdentity; nil when keys are trusted.
	Identity *Identity
	// TrustedRoot is trusted_root.json of the Secret that verify.trustedRootSecretRef names; with Identity only.
	TrustedRoot []byte

	// seal signs statements as one of those who are trusted.
	seal sealer
}

// Identity is who has to have signed, both as Go's regular expressions: what Flux matches with. Exact texts are those for
// artifactctl's flags that want them exactly, and empty where the case is about the expressions.
type Identity struct {
	IssuerRegExp, SubjectRegExp string
	Issuer, Subject             string
}

// Artifact is where a case was prepared.
type Artifact struct {
	Repository string // "host:port/matrix/name"
	Digest     string // "sha256:…" of what Tag names; empty when there is no such tag
}

// Tagged is the reference by tag, without a scheme.
func (a Artifact) Tagged() string { return a.Repository + ":" + Tag }

// Pinned is the reference by digest, without a scheme.
func (a Artifact) Pinned() string { return a.Repository + "@" + a.Digest }

// FluxAccepts tells whether Flux has to set SourceVerified to True.
func (c Case) FluxAccepts() bool { return c.Want == Signed || c.Stricter != "" }

// Cases returns all cases, with new keys and a new private Sigstore.
func Cases() ([]Case, error) {
	k, err := newKeys()
	if err != nil {
		return nil, err
	}
	var all []Case
	for _, group := range []func(*keys) []Case{keyCases, formatCases, forgedCases, registryCases} {
		all = append(all, group(k)...)
	}
	s, err := newSigstores()
	if err != nil {
		return nil, err
	}
	return append(all, identityCases(k, s)...), nil
}

// Prepare makes the situation in the registry at host ("127.0.0.1:5000"), in a repository of the case's own.
func (c Case) Prepare(ctx context.Context, host string) (Artifact, error) {
	a := Artifact{Repository: host + "/matrix/" + c.Name}
	repo, err := name.NewRepository(a.Repository)
	if err != nil {
		return a, fmt.Errorf("%s: %w", c.Name, err)
	}
	w := &work{shelf: shelf{repo}, content: "of " + c.Name}
	if err := w.push(ctx); err != nil {
		return a, fmt.Errorf("%s: %w", c.Name, err)
	}
	for _, s := range c.steps {
		if err := s(ctx, w); err != nil {
			return a, fmt.Errorf("%s: %w", c.Name, err)
		}
	}
	if w.untagged {
		return a, nil
	}
	a.Digest = w.subject.Digest.String()
	if err := w.tag(ctx, w.subject, Tag); err != nil {
		return a, fmt.Errorf("%s: %w", c.Name, err)
	}
	return a, nil
}

// fault is how the registry answers when the case is looked at.
type fault struct {
	part   string // of the path that fails, below the repository; "referrers": the list of them, wherever it is
	status int
	times  int // 0: for ever
}

// Faults are to be injected into the registry after Prepare.
func (c Case) Faults() []peers.Fault {
	if c.fault == nil {
		return nil
	}
	match := func(r *http.Request) bool {
		path, ours := strings.CutPrefix(r.URL.Path, "/v2/matrix/"+c.Name+"/")
		if c.fault.part == "referrers" {
			return ours && (strings.HasPrefix(path, "referrers/") || strings.HasPrefix(path, "manifests/sha256-") && !strings.HasSuffix(path, legacyTag))
		}
		return ours && strings.Contains(path, c.fault.part)
	}
	return []peers.Fault{{Match: match, Status: c.fault.status, Times: c.fault.times, RetryAfter: 1}}
}
