package generate

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"regexp"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
)

var (
	objectName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
	repository = regexp.MustCompile(`^[A-Za-z0-9.:\[\]-]+(/[a-z0-9]+([._-]+[a-z0-9]+)*)+$`)
	tagName    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$`)
	digestName = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	dataKey    = regexp.MustCompile(`[^-._a-zA-Z0-9]+`)
)

// maxName is what Kubernetes allows for a label's value: the controllers write names into labels.
const maxName = 63

type report func(format string, args ...any)

func checkOptions(o Options, add report) {
	named := []struct{ what, name string }{
		{"namespace", o.Namespace}, {"pull secret", o.PullSecret}, {"certificate secret", o.CertSecret},
		{"service account", o.ServiceAccount}, {"key secret", o.KeySecret}, {"trusted root secret", o.RootSecret},
	}
	for _, n := range named {
		if n.name != "" && !validName(n.name) {
			add("%s %q: it cannot be a name in Kubernetes", n.what, n.name)
		}
	}
	switch o.Provider {
	case "", "generic", "aws", "azure", "gcp":
	default:
		add("provider %q: Flux knows aws, azure, gcp and generic", o.Provider)
	}
	for what, d := range map[string]time.Duration{"interval": o.Interval, "timeout": o.Timeout} {
		if d < time.Millisecond {
			add("%s %s: it must be positive", what, d)
		}
	}
	checkAuthority(o.CA, add)
	if o.RetryInterval < 0 {
		add("retry interval %s: it must be positive", o.RetryInterval)
	}
}

// checkAuthority lets certificates through, and nothing that might be secret.
func checkAuthority(text []byte, add report) {
	for len(bytes.TrimSpace(text)) > 0 {
		block, rest := pem.Decode(text)
		if block == nil || block.Type != "CERTIFICATE" {
			add("certificate authority: it holds something else than PEM blocks of type CERTIFICATE")
			return
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			add("certificate authority: %w", err)
		}
		text = rest
	}
}

func checkTrust(t Trust, add report) {
	switch {
	case len(t.Keys) == 0 && !t.keyless():
		add("nothing is trusted: a source that verifies nothing would accept any artifact")
	case len(t.Keys) > 0 && t.keyless():
		add("both keys and an identity are trusted: Flux would look at the keys alone")
	case t.keyless() && ((t.Issuer == "") == (t.IssuerRegExp == "") || (t.Subject == "") == (t.SubjectRegExp == "")):
		add("an identity is one issuer and one subject, each exact or a regular expression")
	}
	for _, pattern := range []string{t.IssuerRegExp, t.SubjectRegExp} {
		if _, err := regexp.Compile(pattern); err != nil {
			add("identity: %w", err)
		}
	}
	for _, k := range t.Keys {
		if block, rest := pem.Decode(k.PEM); block == nil || block.Type != "PUBLIC KEY" || len(bytes.TrimSpace(rest)) > 0 {
			add("key %s: it is not one PEM block of type PUBLIC KEY", k.Name)
		} else if _, err := x509.ParsePKIXPublicKey(block.Bytes); err != nil {
			add("key %s: %w", k.Name, err)
		}
	}
	if len(t.TrustedRoot) > 0 && (!json.Valid(t.TrustedRoot) || t.TrustedRoot[0] != '{') {
		add("the trusted root is not a JSON object")
	}
	if len(t.TrustedRoot) > 0 && len(t.Keys) > 0 {
		add("a trusted root means nothing beside a key")
	}
}

func checkApps(apps []App, add report) {
	seen, bootstraps := map[string]bool{}, 0
	for _, a := range apps {
		if seen[a.Object()] {
			add("app %s: two apps would be called %s", a.Name, a.Object())
		}
		seen[a.Object()] = true
		if a.Bootstrap {
			bootstraps++
		}
		checkApp(a, add)
	}
	if bootstraps > 1 {
		add("%d apps are the cluster's own configuration: only one can be", bootstraps)
	}
	if loop := cycle(apps); loop != "" {
		add("the apps wait for each other: %s", loop)
	}
}

func checkApp(a App, add report) {
	if !validName(a.Object()) {
		add("app %q: it cannot be a name in Kubernetes", a.Name)
	}
	if !repository.MatchString(a.Repository) {
		add("app %s: %q is not a repository that Flux can pull from", a.Name, a.Repository)
	}
	if a.Ref == (Ref{}) {
		add("app %s: it needs a tag, a range of versions or a digest", a.Name)
	}
	if a.Ref.Tag != "" && !tagName.MatchString(a.Ref.Tag) {
		add("app %s: %q is not a tag", a.Name, a.Ref.Tag)
	}
	if _, err := semver.NewConstraint(a.Ref.Semver); a.Ref.Semver != "" && err != nil {
		add("app %s: %q is not a range of versions", a.Name, a.Ref.Semver)
	}
	if a.Ref.Digest != "" && !digestName.MatchString(a.Ref.Digest) {
		add("app %s: %q is not a sha256 digest", a.Name, a.Ref.Digest)
	}
	if a.TargetNamespace != "" && !validName(a.TargetNamespace) {
		add("app %s: target namespace %q cannot be a name in Kubernetes", a.Name, a.TargetNamespace)
	}
	for _, name := range a.DependsOn {
		if !validName(name) {
			add("app %s: it depends on %q, which cannot be a name in Kubernetes", a.Name, name)
		}
	}
	for part := range strings.SplitSeq(a.Path, "/") {
		if part == ".." {
			add("app %s: path %s leads out of the artifact", a.Name, a.Path)
		}
	}
}

func validName(name string) bool { return len(name) <= maxName && objectName.MatchString(name) }

// cycle returns a chain of apps that wait for each other.
func cycle(apps []App) string {
	needs := map[string][]string{}
	for _, a := range apps {
		needs[a.Name] = a.DependsOn
	}
	done := map[string]bool{}
	var visit func(name string, path []string) string
	visit = func(name string, path []string) string {
		for i, earlier := range path {
			if earlier == name {
				return strings.Join(append(path[i:], name), " → ")
			}
		}
		if done[name] {
			return ""
		}
		done[name] = true
		for _, next := range needs[name] {
			if loop := visit(next, append(path, name)); loop != "" {
				return loop
			}
		}
		return ""
	}
	for _, a := range apps {
		if loop := visit(a.Name, nil); loop != "" {
			return loop
		}
	}
	return ""
}
