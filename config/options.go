package config

import (
	"math"
	"reflect"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// SecretKey matches the keys of a plugin's options that would hold a secret. Options that only name the place of one
// (tokenFile, password_env, keyPath) do not match. The JSON Schema holds it, too.
const SecretKey = `(?:[Pp]ass(?:word|phrase|wd)|PASS(?:WORD|PHRASE|WD)|[Tt]oken|TOKEN|[Ss]ecret|SECRET|[Ss]ecret[_-]?[Ii][Dd]|SECRET_ID|[Aa]pi[_-]?[Kk]ey|API_KEY|(?:[Pp]rivate|[Ss]ecret|[Aa]ccess)[_-]?[Kk]ey|(?:PRIVATE|SECRET|ACCESS)_KEY|[Cc]redentials?)$`

// PrivateKey matches PEM text of private keys of any kind. The JSON Schema holds it, too.
const PrivateKey = `PRIVATE KEY-----`

var (
	secretKey = regexp.MustCompile(SecretKey)
	// knownToken matches tokens whose issuers gave them a recognisable form: Vault, GitHub, GitLab, AWS, and JWTs.
	knownToken = regexp.MustCompile(`^(?:hv[sbr]\.[A-Za-z0-9_-]{20}|gh[pousr]_[A-Za-z0-9]{30}|github_pat_|glpat-|AKIA[A-Z0-9]{16}$|eyJ[A-Za-z0-9_-]+\.eyJ)`)
	lastKey    = regexp.MustCompile(`(?:\["([^"]*)"\]|([^.\[\]]+))(?:\[\d+\])*$`)
)

// looksLikeKey reports whether text holds a private key.
func looksLikeKey(text string) bool { return strings.Contains(text, PrivateKey) }

// inlineSecret says what is wrong with a value in a plugin's options that is a secret by its look or by its key.
// References are fine.
func inlineSecret(path, text string) (message, hint string) {
	const use = "name where the plugin finds it: env://NAME (and NAME under env:) or file://PATH"
	var key string
	if m := lastKey.FindStringSubmatch(path); m != nil {
		key = m[1] + m[2]
	}
	switch {
	case looksLikeKey(text):
		return "this looks like a private key", use
	case knownToken.MatchString(text):
		return "this looks like a token", use
	case !secretKey.MatchString(key), text == "", text == "true", text == "false", Reference(text).Valid():
		return "", ""
	}
	return "a secret must not stand here", use
}

// free converts the options of a plugin, whose types only the plugin knows.
func (w *walker) free(n *yaml.Node, at place) (any, bool) {
	w.note(n, at)
	switch n.Kind {
	case yaml.MappingNode:
		v, ok := w.table(n, field{typ: reflect.TypeFor[map[string]any]()}, at)
		return v, ok
	case yaml.SequenceNode:
		return w.list(n, field{typ: reflect.TypeFor[[]any]()}, at)
	}
	if message, hint := inlineSecret(at.source, n.Value); message != "" {
		w.refuse(n, at, hint, "%s", message)
		return nil, false
	}
	if strings.Contains(n.Value, "${") && w.warnings != nil {
		w.warnings.add(w.note(n, at).problem("${…} is not replaced here: the plugin gets it as it stands", "write env://NAME, and list NAME under env:"))
	}
	var v any
	if err := n.Decode(&v); err != nil || n.ShortTag() == "!!timestamp" {
		return n.Value, true
	}
	if number, ok := v.(float64); ok && (math.IsInf(number, 0) || math.IsNaN(number)) {
		w.refuse(n, at, "", "this is no finite number")
		return nil, false
	}
	return v, true
}
