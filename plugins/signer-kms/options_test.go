package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

const (
	goodARN   = "awskms:///arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	goodGCP   = "gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/k"
	goodAzure = "azurekms://fleet.vault.azure.net/artifacts"
)

func TestOptions(t *testing.T) {
	pin := strings.Repeat("ab", 32)
	tests := map[string]struct {
		with       map[string]any
		key        string // what is asked for in the end, if all is well
		text, hint string
	}{
		"aws":                     {map[string]any{"key": goodARN}, goodARN, "", ""},
		"aws with an endpoint":    {map[string]any{"key": "awskms://localhost:4566/alias/x"}, "awskms://localhost:4566/alias/x", "", ""},
		"gcp":                     {map[string]any{"key": goodGCP, "keyVersion": 3}, goodGCP + "/cryptoKeyVersions/3", "", ""},
		"gcp without a version":   {map[string]any{"key": goodGCP}, goodGCP, "", ""},
		"azure":                   {map[string]any{"key": goodAzure + "/", "keyVersion": "abc1"}, goodAzure + "/abc1", "", ""},
		"vault":                   {map[string]any{"key": "openbao://a.b-c", "keyVersion": "latest"}, "openbao://a.b-c", "", ""},
		"nothing":                 {nil, "", `option "key" is missing`, "awskms:///"},
		"misspelt":                {map[string]any{"kye": goodARN}, "", `unknown option "kye"`, `"key"`},
		"no text":                 {map[string]any{"key": 3}, "", "must be a text", ""},
		"a key":                   {map[string]any{"key": "-----BEGIN PRIVATE KEY-----x"}, "", "holds the key itself", "signer-file"},
		"a password":              {map[string]any{"key": "azurekms://me:pw-pw-pw@v.net/k"}, "", "holds a user or password", "env"},
		"bare arn":                {map[string]any{"key": "arn:aws:kms:x"}, "", "is no URI", "awskms:///arn:aws:kms:x"},
		"bare resource":           {map[string]any{"key": "projects/p"}, "", "is no URI", "gcpkms://projects/p"},
		"two slashes":             {map[string]any{"key": strings.Replace(goodARN, "///", "//", 1)}, "", "names no key of AWS KMS", "three slashes"},
		"aws has no versions":     {map[string]any{"key": goodARN, "keyVersion": 1}, "", "no versions in AWS KMS", "remove keyVersion"},
		"gcp twice":               {map[string]any{"key": goodGCP + "/versions/1", "keyVersion": 1}, "", "given twice", "remove"},
		"gcp half":                {map[string]any{"key": "gcpkms://projects/p"}, "", "names no key of Google Cloud KMS", "cryptoKeyVersions"},
		"azure twice":             {map[string]any{"key": goodAzure + "/abc", "keyVersion": "def"}, "", "given twice", "remove"},
		"azure identifier":        {map[string]any{"key": "https://fleet.vault.azure.net/keys/artifacts/abc"}, "", "not the scheme", "azurekms://fleet.vault.azure.net/artifacts/abc"},
		"azure with keys":         {map[string]any{"key": "azurekms://fleet.vault.azure.net/keys/artifacts/abc"}, "", "names no key", "azurekms://fleet.vault.azure.net/artifacts/abc"},
		"azure without a host":    {map[string]any{"key": "azurekms://fleet/artifacts"}, "", "names no key", "fleet.vault.azure.net/artifacts"},
		"vault with a path":       {map[string]any{"key": "hashivault://transit/x"}, "", "names no key", "signer-vault"},
		"vault version":           {map[string]any{"key": "hashivault://x", "keyVersion": "v1"}, "", "must be a number", "keyVersion: 3"},
		"file":                    {map[string]any{"key": "env://KEY"}, "", "not the scheme", "signer-file"},
		"program missing":         {map[string]any{"key": "mine://x"}, "", `option "program" is missing`, "sigstore-kms-mine"},
		"program relative":        {map[string]any{"key": "mine://x", "program": "bin/sigstore-kms-mine"}, "", "not an absolute path", "PATH"},
		"program of another name": {map[string]any{"key": "mine://x", "program": "/bin/sh"}, "", "is called sigstore-kms-mine", ""},
		"program not there":       {map[string]any{"key": "mine://x", "program": "/nowhere/sigstore-kms-mine", "sha256": pin}, "", "no such file", ""},
		"program in vain":         {map[string]any{"key": goodARN, "program": "/bin/sh"}, "", "built in", "remove"},
		"a path for a scheme":     {map[string]any{"key": "../evil://x", "program": "/bin/sh"}, "", "is no URI", ""},
		"bad pin":                 {map[string]any{"key": "mine://x", "sha256": "12"}, "", "64 hex digits", "linux/amd64"},
		"pin for others":          {map[string]any{"key": "mine://x", "sha256": map[string]any{"plan9/mips": pin}}, "", "no pin for", "linux/amd64"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o, _, err := parseOptions(tt.with)
			if tt.text == "" {
				if err != nil || o.key != tt.key {
					t.Errorf("got %q, %v", o.key, err)
				}
				return
			}
			check(t, err, signer.ErrInvalid, tt.text, tt.hint)
		})
	}
}

// check compares an error with its class (nil: none is asked for), a part of its text and of its hint.
func check(t *testing.T, err error, class error, text, hint string) {
	t.Helper()
	advice := ""
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		advice = h.Hint()
	}
	if err == nil || class != nil && !errors.Is(err, class) || !strings.Contains(err.Error(), text) || !strings.Contains(advice, hint) {
		t.Errorf("got  %v\nhint %s\nwant %s\nhint %s", err, advice, text, hint)
	}
	if err != nil && strings.Contains(err.Error()+advice, "pw-pw-pw") {
		t.Errorf("a password is shown: %v", err)
	}
}
