package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/artifactctl/artifactctl/internal/ui"
	"github.com/artifactctl/artifactctl/plugins/signer"
)

func TestAdviceFitsTheSigner(t *testing.T) {
	own := signer.WithHint(fmt.Errorf("%w: no token", signer.ErrInvalid), "give the job a token")
	for _, c := range []struct {
		plugin string
		err    error
		want   string // of the only hint; empty: there is none
	}{
		{"signer-file", signer.ErrInvalid, `^docs/signers/file\.md says what signers\.x\.with .*keygen`},
		{"signer-keyless", signer.ErrInvalid, `^docs/signers/keyless\.md says what signers\.x\.with can be$`},
		{"signer-keyless", own, `^give the job a token$`},
		{"signer-keyless", signer.ErrDenied, `identity token.*docs/signers/keyless\.md`},
		{"signer-keyless", signer.ErrUnavailable, `HTTPS_PROXY under env: of signers\.x`},
		{"signer-vault", signer.ErrDenied, `permission.*docs/signers/vault\.md`},
		{"signer-kms", signer.ErrInvalid, `docs/signers/kms\.md`},
		{"signer-seed", signer.ErrInvalid, `^docs/plugins\.md says`},
		{"signer-../../x", signer.ErrDenied, `docs/plugins\.md`},
		{"signer-keyless", context.Canceled, ``},
	} {
		err := adviseSigner(c.err, "x", c.plugin)
		hints := ui.Hints(err)
		if !errors.Is(err, c.err) || (c.want == "") != (len(hints) == 0) || len(hints) > 1 ||
			len(hints) == 1 && !regexp.MustCompile(c.want).MatchString(hints[0]) {
			t.Errorf("%s, %v: %q, want %q", c.plugin, c.err, hints, c.want)
		}
	}
}

// Every page that a hint names is there, and so is a hint for every page.
func TestSignerPages(t *testing.T) {
	found, err := filepath.Glob("../../docs/signers/*.md")
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, plugin := range []string{"signer-file", "signer-keyless", "signer-kms", "signer-vault"} {
		page := filepath.Join("..", "..", signerPage(plugin))
		named = append(named, page)
		if _, err := os.Stat(page); err != nil {
			t.Errorf("%s: %v", plugin, err)
		}
	}
	if !slices.Equal(found, named) {
		t.Errorf("there are %v, and hints name %v", found, named)
	}
}
