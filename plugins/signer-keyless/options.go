package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// options is the with: block.
type options struct {
	fulcioURL, rekorURL, tsaURL string
	rekorVersion                int    // 1 or 2; 0 when it is not given
	signingConfig               string // path
	trustedRoot                 string // path
	tokenEnv, tokenFile         string // where the identity token is; at most one of them
}

func parseOptions(with map[string]any) (options, error) {
	var o options
	texts := map[string]*string{
		"fulcioURL": &o.fulcioURL, "rekorURL": &o.rekorURL, "tsaURL": &o.tsaURL,
		"signingConfig": &o.signingConfig, "trustedRoot": &o.trustedRoot, "tokenFile": &o.tokenFile,
	}
	known := []string{"fulcioURL", "rekorURL", "rekorVersion", "tsaURL", "signingConfig", "trustedRoot", "token", "tokenFile"}
	if _, both := with["token"]; both && with["tokenFile"] != nil {
		return o, invalid("remove one of them", "options \"token\" and \"tokenFile\" both say where the identity token is")
	}
	for name, value := range with {
		var err error
		switch into := texts[name]; {
		case name == "rekorVersion":
			o.rekorVersion, err = parseVersion(value)
		case name == "token":
			err = o.parseToken(value)
		case into != nil:
			*into, err = parseText(name, value)
		default:
			return o, invalid(didYouMean(name, known), "unknown option %q", name)
		}
		if err != nil {
			return o, err
		}
	}
	return o, nil
}

func parseText(name string, value any) (string, error) {
	text, ok := value.(string)
	if !ok || text == "" {
		return "", invalid("", "option %q must be a text that is not empty", name)
	}
	return strings.TrimPrefix(text, "file://"), nil
}

// parseVersion reads the number of a version of Rekor.
func parseVersion(value any) (int, error) {
	n, ok := value.(int)
	if !ok || n != 1 && n != 2 {
		return 0, invalid("", "option \"rekorVersion\" must be 1 or 2")
	}
	return n, nil
}

// parseToken reads where the identity token is. The token itself must not stand in publish.yaml.
func (o *options) parseToken(value any) error {
	text, _ := value.(string)
	if name, ok := strings.CutPrefix(text, "env://"); ok && name != "" {
		o.tokenEnv = name
		return nil
	}
	if path, ok := strings.CutPrefix(text, "file://"); ok && path != "" {
		o.tokenFile = path
		return nil
	}
	return invalid("write token: env://NAME, or tokenFile: PATH", "option \"token\" is no reference; publish.yaml must hold no secrets")
}

func invalid(hint, format string, args ...any) error {
	return signer.WithHint(fmt.Errorf("%w: %s", signer.ErrInvalid, fmt.Sprintf(format, args...)), hint)
}

// didYouMean is advice for an unknown option: the known one with the most pairs of letters in common, if that is most of
// them.
func didYouMean(name string, known []string) string {
	best, most := "", 0.5
	for _, k := range known {
		if s := similarity(pairs(name), pairs(k)); s > most {
			best, most = k, s
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return "the options are: " + strings.Join(known, ", ")
}

// similarity is Dice's coefficient of two lists: 1 for the same entries, 0 for none in common.
func similarity(a, b []string) float64 {
	if len(a)+len(b) == 0 {
		return 0
	}
	total, common := len(a)+len(b), 0
	for _, pair := range a {
		if i := slices.Index(b, pair); i >= 0 {
			b = slices.Delete(slices.Clone(b), i, i+1)
			common++
		}
	}
	return 2 * float64(common) / float64(total)
}

func pairs(word string) []string {
	word = strings.ToLower(word)
	var out []string
	for i := range max(len(word)-1, 0) {
		out = append(out, word[i:i+2])
	}
	return out
}
