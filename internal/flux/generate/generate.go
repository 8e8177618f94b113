// Package generate writes what a cluster needs to fetch, verify and apply published apps with Flux: for each app an
// OCIRepository and a Kustomization, the Secrets that verification reads, and the flux-system source that starts it all.
// Its output is a pure function of its arguments, in the order and style in which people write these files. It talks to
// no cluster and knows no registry; credentials are only ever named, never written.
//
// The formats are those of Flux's source-controller and kustomize-controller (source.toolkit.fluxcd.io/v1,
// kustomize.toolkit.fluxcd.io/v1).
package generate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// App is a published app as a cluster sees it.
type App struct {
	Name       string // of the OCIRepository and the Kustomization
	Repository string // host[:port]/path, without scheme, tag and digest
	Ref        Ref
	// Insecure fetches over plain HTTP, as from a loopback host without a CertSecret.
	Insecure        bool
	Path            string   // inside the artifact; default ./
	TargetNamespace string   // optional: the namespace of all of the app's objects
	DependsOn       []string // optional: names of apps, or of other Kustomizations in the same namespace
	// Bootstrap marks the tree that configures the cluster itself: its objects are called flux-system, as Flux's own
	// bootstrap calls them. At most one app may be marked.
	Bootstrap bool
}

// Ref is which artifact of a repository is fetched. Flux prefers the digest to the range, and the range to the tag. One of
// them is needed: without any, Flux follows the tag latest.
type Ref struct{ Tag, Semver, Digest string }

// Trust is what signatures are checked against: keys, or an identity. The zero Trust is refused.
type Trust struct {
	Keys []Key
	// Issuer and Subject are exact; their RegExp variants take their place.
	Issuer, IssuerRegExp, Subject, SubjectRegExp string
	// TrustedRoot is the trusted_root.json of a private Sigstore. Without it, Flux uses the public one.
	TrustedRoot []byte
}

// Key is a public key: the name of its file, and the PEM text.
type Key struct {
	Name string
	PEM  []byte
}

// Options are the same for all apps. Empty fields get the defaults that they name.
type Options struct {
	Namespace      string        // flux-system
	Interval       time.Duration // 10m: how often Flux looks, and corrects drift
	RetryInterval  time.Duration // optional: how soon Flux tries again after a failure
	Timeout        time.Duration // 5m: how long applying and waiting may take
	KeepRemoved    bool          // turns prune off
	NoWait         bool          // turns wait off: apps are ready before their objects are; the bootstrap never waits
	PullSecret     string        // optional: Secret with registry credentials
	CertSecret     string        // optional: Secret with the registry's CA or a client certificate
	CA             []byte        // optional: certificates (PEM) of the registry's CA; makes CertSecret, by default registry-ca
	Provider       string        // optional: aws, azure or gcp, for registries that trust the cluster's own identity
	ServiceAccount string        // optional: whom kustomize-controller impersonates while applying
	KeySecret      string        // signing-keys
	RootSecret     string        // sigstore-trusted-root
	Legacy         bool          // signatures are stored in cosign's older form, too, which every Flux reads
	Trust          Trust
}

// File is a generated file: a path with slashes below the directory of the user's choice, and its text.
type File struct {
	Path    string
	Content []byte
}

// bootstrapName is what Flux calls the source of the cluster's own configuration.
const bootstrapName = "flux-system"

// Flux generates all files, in a fixed order. The error lists every problem of the arguments.
func Flux(apps []App, o Options) ([]File, error) {
	o = withDefaults(o)
	if err := check(apps, o); err != nil {
		return nil, err
	}
	drafts := drafts(apps, o)
	files := make([]File, len(drafts))
	for i, d := range drafts {
		var err error
		if files[i], err = d.encode(); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// drafts are sorted by path, but Secrets come first, and the index last: a source that is applied before the key that it
// names is refused until Flux tries again, one that worked before included.
func drafts(apps []App, o Options) []draft {
	var secrets, sources []draft
	if len(o.Trust.Keys) > 0 {
		secrets = append(secrets, keysFile(o))
	}
	if len(o.Trust.TrustedRoot) > 0 {
		secrets = append(secrets, rootFile(o))
	}
	if len(o.CA) > 0 {
		secrets = append(secrets, authorityFile(o))
	}
	bootstrap := map[string]bool{}
	for _, a := range apps {
		bootstrap[a.Name] = a.Bootstrap
	}
	for _, a := range apps {
		a.DependsOn = slices.Clone(a.DependsOn)
		for i, name := range a.DependsOn {
			if bootstrap[name] {
				a.DependsOn[i] = bootstrapName
			}
		}
		sources = append(sources, appFile(a, o))
	}
	for _, group := range [][]draft{secrets, sources} {
		slices.SortFunc(group, func(a, b draft) int { return strings.Compare(a.path, b.path) })
	}
	all := append(secrets, sources...)
	return append(all, indexFile(all))
}

// Stream joins files into one stream of documents, as `kubectl apply -f -` reads it; the index is left out.
func Stream(files []File) []byte {
	var all []string
	for _, f := range files {
		if f.Path != indexPath {
			all = append(all, strings.TrimPrefix(string(f.Content), "---\n"))
		}
	}
	return []byte("---\n" + strings.Join(all, "---\n"))
}

func withDefaults(o Options) Options {
	set := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	set(&o.Namespace, "flux-system")
	set(&o.KeySecret, "signing-keys")
	set(&o.RootSecret, "sigstore-trusted-root")
	if len(o.CA) > 0 {
		set(&o.CertSecret, "registry-ca")
	}
	if o.Interval == 0 {
		o.Interval = 10 * time.Minute
	}
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Minute
	}
	return o
}

// keyless reports whether an identity is trusted.
func (t Trust) keyless() bool { return t.Issuer+t.IssuerRegExp+t.Subject+t.SubjectRegExp != "" }

func check(apps []App, o Options) error {
	var problems []error
	add := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if len(apps) == 0 {
		add("there is no app to generate sources for")
	}
	checkOptions(o, add)
	checkTrust(o.Trust, add)
	checkApps(apps, add)
	return errors.Join(problems...)
}
