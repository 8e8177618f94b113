package main

import (
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
	if err := signer.CheckOptions(with, "fulcioURL", "rekorURL", "rekorVersion", "tsaURL", "signingConfig", "trustedRoot", "token", "tokenFile"); err != nil {
		return o, err
	}
	if _, both := with["token"]; both && with["tokenFile"] != nil {
		return o, signer.Invalidf("remove one of them", "options \"token\" and \"tokenFile\" both say where the identity token is")
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
		return "", signer.Invalidf("", "option %q must be a text that is not empty", name)
	}
	return strings.TrimPrefix(text, "file://"), nil
}

// parseVersion reads the number of a version of Rekor.
func parseVersion(value any) (int, error) {
	n, ok := value.(int)
	if !ok || n != 1 && n != 2 {
		return 0, signer.Invalidf("", "option \"rekorVersion\" must be 1 or 2")
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
	return signer.Invalidf("write token: env://NAME, or tokenFile: PATH", "option \"token\" is no reference; publish.yaml must hold no secrets")
}
