package redact

import (
	"encoding/json"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
)

// FromEnviron returns the values that must never be shown among the variables with these names, which are those that
// a run hands to its signers or takes registry credentials from. lookup is os.LookupEnv.
//
// The rule, in doubt for blanking:
//   - A variable counts as secret by its name when that has a word like PASSWORD, TOKEN, SECRET, PASSPHRASE or JWT,
//     whatever its value is, unless the last word says that it holds a place, not a value (VAULT_TOKEN_FILE).
//   - Words like KEY, AUTH, CREDENTIALS or PEM are used for references as well (COSIGN_KEY=cosign.key,
//     KMS_KEY=awskms://…): there the value counts as secret unless it is a URL, a file that exists, a name
//     with the ending of a key or configuration file, or public PEM.
//   - Any other variable is public (VAULT_ADDR, AWS_REGION).
//   - Passwords inside URLs count whatever the variable is called (HTTPS_PROXY=http://user:password@proxy).
//   - Of a JSON document (DOCKER_AUTH_CONFIG) the strings under such names count one by one too.
func FromEnviron(names []string, lookup func(string) (string, bool)) []string {
	var secrets []string
	for _, name := range names {
		value, ok := lookup(name)
		value = strings.TrimSpace(value)
		if !ok || len(value) < MinLength || slices.Contains([]string{"true", "false", "none", "null"}, value) {
			continue
		}
		secrets = append(secrets, inURL(value)...)
		if isSecret(name, value) {
			secrets = append(secrets, value)
			secrets = append(secrets, inJSON(value)...)
		}
	}
	slices.Sort(secrets)
	return slices.Compact(secrets)
}

func isSecret(name, value string) bool {
	switch nameStrength(name) {
	case strong:
		return true
	case weak:
		return !isReference(value)
	default:
		return false
	}
}

type strength int

const (
	public strength = iota
	weak            // the name of a secret or of a reference to one
	strong          // the name of a secret
)

// nameStrength judges the name of a variable or of a JSON field.
func nameStrength(name string) strength {
	words := strings.FieldsFunc(strings.ToUpper(name), func(r rune) bool { return r < '0' || r > 'Z' || r > '9' && r < 'A' })
	if len(words) == 0 || namesAPlace(words[len(words)-1]) || slices.Contains(words, "PUBLIC") || slices.Contains(words, "PUB") {
		return public
	}
	found := public
	for _, w := range words {
		found = max(found, wordStrength(strings.TrimSuffix(w, "S")))
	}
	if found == weak && words[len(words)-1] == "ID" { // AWS_ACCESS_KEY_ID; but VAULT_SECRET_ID is secret
		return public
	}
	return found
}

func wordStrength(w string) strength {
	switch w {
	case "PAS", "PWD", "PAT", "PIN", "AUTHORIZATION": // "PAS" is PASS without its S
		return strong
	case "KEY", "AUTH", "PEM", "CRED":
		return weak
	}
	for _, part := range []string{"PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN", "JWT", "APIKEY", "PRIVATEKEY"} {
		if strings.Contains(w, part) {
			return strong
		}
	}
	if strings.Contains(w, "CREDENTIAL") {
		return weak
	}
	return public
}

// namesAPlace tells that a variable whose last word is w says where, who or how, and not the secret itself.
func namesAPlace(w string) bool {
	switch w {
	case "FILE", "PATH", "DIR", "URL", "URI", "ADDR", "ADDRESS", "HOST", "ENDPOINT", "PORT", "REGION", "NAME", "USER",
		"USERNAME", "METHOD", "TYPE", "MOUNT", "ROLE", "VERSION", "ALGORITHM", "ISSUER", "AUDIENCE", "SUBJECT", "TTL",
		"TIMEOUT", "MODE", "PROVIDER", "FORMAT", "SCOPE", "NAMESPACE", "FINGERPRINT":
		return true
	}
	return false
}

// isReference tells that a value says where a key is, or is public itself.
func isReference(value string) bool {
	if strings.Contains(value, "-----BEGIN PUBLIC KEY") || strings.Contains(value, "-----BEGIN CERTIFICATE") {
		return !strings.Contains(value, "PRIVATE KEY")
	}
	if strings.ContainsAny(value, "\n\r{") || len(value) > 4096 {
		return false
	}
	if scheme, _, ok := strings.Cut(value, "://"); ok && isScheme(scheme) {
		return true
	}
	switch strings.ToLower(path.Ext(value)) {
	case ".key", ".pem", ".pub", ".crt", ".cer", ".p12", ".pfx", ".json", ".yaml", ".yml", ".txt":
		return true
	}
	_, err := os.Stat(value)
	return err == nil
}

func isScheme(s string) bool {
	return s != "" && strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789+.-") == ""
}

// inURL returns the secret parts of a URL: its password, an HTTP user name that stands alone (a token), and query
// values with secret names. A value that is no URL has none.
func inURL(value string) []string {
	u, err := url.Parse(value)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return nil
	}
	var secrets []string
	if password, ok := u.User.Password(); ok {
		secrets = append(secrets, password)
	} else if u.User != nil && strings.HasPrefix(u.Scheme, "http") {
		secrets = append(secrets, u.User.Username())
	}
	for name, values := range u.Query() {
		if nameStrength(name) != public || strings.EqualFold(name, "sig") {
			secrets = append(secrets, values...)
		}
	}
	return secrets
}

// inJSON returns the strings under secret names of a JSON document; none when value is no JSON.
func inJSON(value string) []string {
	var doc any
	if !strings.HasPrefix(value, "{") || json.Unmarshal([]byte(value), &doc) != nil {
		return nil
	}
	return stringsOf(doc, false)
}

func stringsOf(v any, secret bool) []string {
	var found []string
	switch v := v.(type) {
	case string:
		if secret {
			found = append(found, v)
		}
	case []any:
		for _, e := range v {
			found = append(found, stringsOf(e, secret)...)
		}
	case map[string]any:
		for name, e := range v {
			found = append(found, stringsOf(e, nameStrength(name) != public)...)
		}
	}
	return found
}
