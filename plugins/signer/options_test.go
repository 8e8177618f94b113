package signer_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

func TestCheckOptions(t *testing.T) {
	known := []string{"key", "keyVersion", "mount", "tokenFile"}
	for name, want := range map[string]string{
		"kye": `"key"`, "Key": `"key"`, "keyversion": `"keyVersion"`, "tokenfile": `"tokenFile"`, "mounts": `"mount"`, "": `"key"`,
		"entirely-else": "the options are: key, keyVersion, mount, tokenFile",
	} {
		err := signer.CheckOptions(map[string]any{"key": 1, name: 2}, known...)
		var hint interface{ Hint() string }
		if !errors.Is(err, signer.ErrInvalid) || !errors.As(err, &hint) || !strings.Contains(hint.Hint(), want) {
			t.Errorf("%q: got %v, want a hint with %s", name, err, want)
		}
	}
	if err := signer.CheckOptions(map[string]any{"key": 1, "mount": 2}, known...); err != nil {
		t.Errorf("known options: %v", err)
	}
}
