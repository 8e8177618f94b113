package main

import (
	"fmt"
	"os"
	"strings"
)

// tokenFileVariable names a file with a token. No version of Vault knows it; CI systems and agents set it.
const tokenFileVariable = "VAULT_TOKEN_FILE"

// adoptBao makes the variables of OpenBao's clients count where Vault's are not set: BAO_ADDR is VAULT_ADDR, and so on.
// It changes the environment of this process, which is the plugin's own, because vault/api takes TLS files, headers and
// more only from there. Of two that differ, Vault's counts, and a warning names them.
func adoptBao() (warnings []string) {
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		rest, ok := strings.CutPrefix(name, "BAO_")
		if !ok || value == "" {
			continue
		}
		vault := "VAULT_" + rest
		switch os.Getenv(vault) {
		case "":
			_ = os.Setenv(vault, value) // fails only for names that an environment cannot hold
		case value:
		default:
			warnings = append(warnings, fmt.Sprintf("%s and %s are both set and differ; %s counts", vault, name, vault))
		}
	}
	return warnings
}
