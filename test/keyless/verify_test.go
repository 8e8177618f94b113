package keyless_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	cosignlib "github.com/sigstore/cosign/v3/pkg/cosign"

	"github.com/artifactctl/artifactctl/test/keyless/stack"
	"github.com/artifactctl/artifactctl/test/oracle"
)

// verifyAgrees asks artifactctl and the code of Flux about one artifact that the Sigstore s signed for email, under
// policies that are right and wrong. The flags of artifactctl are those of cosign.
func verifyAgrees(t *testing.T, f *fleet, r *registry, s, other *stack.Stack, ref string) {
	t.Helper()
	own, foreign := s.TrustedRoot(t), other.TrustedRoot(t)
	dir := t.TempDir() // not the fleet's, which has to stay as it was committed
	files := map[bool]string{false: filepath.Join(dir, "own.json"), true: filepath.Join(dir, "foreign.json")}
	for isForeign, content := range map[bool][]byte{false: own, true: foreign} {
		if err := os.WriteFile(files[isForeign], content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	quote := func(text string) string { return "^" + regexp.QuoteMeta(text) + "$" }
	exact := func(issuer, subject string) []string {
		return []string{"--certificate-oidc-issuer", issuer, "--certificate-identity", subject}
	}
	patterns := func(issuer, subject string) []string {
		return []string{"--certificate-oidc-issuer-regexp", issuer, "--certificate-identity-regexp", subject}
	}
	for name, c := range map[string]struct {
		flags           []string
		issuer, subject string // as Flux has them
		foreign         bool   // the trusted root is another's
		good            bool
		says            string
	}{
		"exact":           {exact(s.Issuer.URL, email), quote(s.Issuer.URL), quote(email), false, true, email},
		"patterns":        {patterns("^http://127", "^(ci|cd)@"), "^http://127", "^(ci|cd)@", false, true, email},
		"no anchors":      {patterns("127", "example"), "127", "example", false, true, email},
		"another subject": {exact(s.Issuer.URL, "eve@example.com"), quote(s.Issuer.URL), quote("eve@example.com"), false, false, "it was signed by " + email},
		"another issuer":  {exact(other.Issuer.URL, email), quote(other.Issuer.URL), quote(email), false, false, "it was signed by " + email + " (" + s.Issuer.URL},
		"other patterns":  {patterns("^https://", "^cd@"), "^https://", "^cd@", false, false, "it was signed by"},
		"another root":    {exact(s.Issuer.URL, email), quote(s.Issuer.URL), quote(email), true, false, "no authority of the trusted root"},
	} {
		root := own
		if c.foreign {
			root = foreign
		}
		flux := oracle.FluxVerifyIdentity(t.Context(), ref, root, cosignlib.Identity{IssuerRegExp: c.issuer, SubjectRegExp: c.subject})
		code, output := f.run(t, r, append([]string{"verify", "oci://" + ref, "--trusted-root", files[c.foreign]}, c.flags...)...)
		if (flux == nil) != c.good || (code == 0) != c.good || !strings.Contains(output, c.says) {
			t.Errorf("%s: Flux says %v, artifactctl exits with %d, want good: %t, and %q in\n%s", name, flux, code, c.good, c.says, output)
		}
	}
}
