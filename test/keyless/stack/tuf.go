package stack

import (
	"testing"

	"github.com/artifactctl/artifactctl/plugins/signer/sigstoretuf/tuftest"
)

// Mirror is a TUF repository that tells the signing config and the trusted root of a Stack.
type Mirror struct {
	URL  string
	Root []byte // where trust in it begins
}

// Mirror serves the Stack's documents as the public Sigstore's mirror does, signed by a key of its own.
func (s *Stack) Mirror(t testing.TB) *Mirror {
	t.Helper()
	r, err := tuftest.New(map[string][]byte{tuftest.SigningConfig: s.SigningConfig(t), tuftest.TrustedRoot: s.TrustedRoot(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return &Mirror{URL: r.URL, Root: r.Root}
}
