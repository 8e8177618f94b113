package signertest_test

import (
	"encoding/base64"
	"os"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/plugins/signer/signertest"
)

func TestSigner(t *testing.T) {
	t.Setenv("SEED", base64.StdEncoding.EncodeToString(make([]byte, 32)))
	signertest.Run(t, signertest.Suite{
		New:           func(*testing.T) (signer.Signer, map[string]any) { return &seedSigner{}, nil },
		Deterministic: true,
	})
}

func TestDocsShowTheExample(t *testing.T) {
	docs, err := os.ReadFile("../../../docs/plugins.md")
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile("seed_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, example, found := strings.Cut(string(code), "to the letter.\n\n")
	if !found || !strings.Contains(string(docs), example) {
		t.Error("docs/plugins.md does not show the signer of seed_test.go")
	}
}
