package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

const (
	// defaultAudience is whom identity tokens are for: every Fulcio that is not configured otherwise.
	defaultAudience = "sigstore"
	// defaultClient is how this program is known to the identity provider where a person signs in.
	defaultClient = "sigstore"
	// defaultLogConcurrency is how many log entries are made at once. Rekor v2 takes about a second for an entry, however
	// many there are.
	defaultLogConcurrency = 64
	maxLogConcurrency     = 1000
)

// options is the with: block.
type options struct {
	fulcioURL, rekorURL, tsaURL string
	rekorVersion                int    // 1 or 2; 0 when it is not given
	signingConfig               string // path
	trustedRoot                 string // path
	tufMirror                   string
	tufRoot, tufCache           string // paths
	tokenEnv, tokenFile         string // where the identity token is; at most one of them and provider
	provider                    string // who is asked for it
	audience                    string
	oidcIssuer, oidcClientID    string // where a person signs in
	logConcurrency              int
}

// texts are the options that are plain text, in the order of the documentation.
func (o *options) texts() map[string]*string {
	return map[string]*string{
		"fulcioURL": &o.fulcioURL, "rekorURL": &o.rekorURL, "tsaURL": &o.tsaURL, "signingConfig": &o.signingConfig,
		"trustedRoot": &o.trustedRoot, "tufMirror": &o.tufMirror, "tufRoot": &o.tufRoot, "tufCache": &o.tufCache,
		"tokenFile": &o.tokenFile, "audience": &o.audience, "oidcIssuer": &o.oidcIssuer, "oidcClientID": &o.oidcClientID,
	}
}

func parseOptions(with map[string]any) (options, error) {
	o := options{audience: defaultAudience, oidcClientID: defaultClient, logConcurrency: defaultLogConcurrency}
	if err := signer.CheckOptions(with, "fulcioURL", "rekorURL", "rekorVersion", "tsaURL", "signingConfig", "trustedRoot",
		"tufMirror", "tufRoot", "tufCache", "token", "tokenFile", "audience", "oidcIssuer", "oidcClientID", "logConcurrency"); err != nil {
		return o, err
	}
	if _, both := with["token"]; both && with["tokenFile"] != nil {
		return o, signer.Invalidf("remove one of them", "options \"token\" and \"tokenFile\" both say where the identity token is")
	}
	texts := o.texts()
	for name, value := range with {
		var err error
		switch into := texts[name]; {
		case name == "rekorVersion":
			o.rekorVersion, err = parseNumber(name, value, 1, 2)
		case name == "logConcurrency":
			o.logConcurrency, err = parseNumber(name, value, 1, maxLogConcurrency)
		case name == "token":
			err = o.parseToken(value)
		case into != nil:
			*into, err = parseText(name, value)
		}
		if err != nil {
			return o, err
		}
	}
	return o, o.checkTUF()
}

// checkTUF refuses options that say twice, or half, where the services are.
func (o *options) checkTUF() error {
	switch {
	case o.tufRoot != "" && o.tufMirror == "":
		return signer.Invalidf("add tufMirror: URL", "option \"tufRoot\" begins the trust in a TUF mirror, and none is named")
	case o.tufMirror == "":
		return nil
	case o.named() || o.signingConfig != "":
		return signer.Invalidf("remove tufMirror, or signingConfig and the URLs of the services", "option \"tufMirror\" names all services already")
	case !isService(o.tufMirror):
		return signer.Invalidf("write it like https://tuf.example.com", "option \"tufMirror\" is no URL that can be used: want http or https, a host, and neither credentials, query nor fragment")
	}
	o.tufMirror = strings.TrimRight(o.tufMirror, "/")
	return nil
}

// named tells whether a service is named by its URL.
func (o *options) named() bool { return o.fulcioURL+o.rekorURL+o.tsaURL != "" || o.rekorVersion != 0 }

func parseText(name string, value any) (string, error) {
	text, ok := value.(string)
	if !ok || text == "" {
		return "", signer.Invalidf("", "option %q must be a text that is not empty", name)
	}
	return strings.TrimPrefix(text, "file://"), nil
}

// parseNumber reads a whole number between two others.
func parseNumber(name string, value any, least, most int) (int, error) {
	n, ok := value.(int)
	if !ok || n < least || n > most {
		want := fmt.Sprintf("a number from %d to %d", least, most)
		if most == least+1 {
			want = fmt.Sprintf("%d or %d", least, most)
		}
		return 0, signer.Invalidf("", "option %q must be %s", name, want)
	}
	return n, nil
}

// parseToken reads where the identity token is, or who gives it. The token itself must not stand in publish.yaml.
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
	if names := providerNames(); slices.Contains(names, text) {
		o.provider = text
		return nil
	}
	return signer.Invalidf("write token: env://NAME, tokenFile: PATH, or token: and one of "+strings.Join(providerNames(), ", "),
		"option \"token\" is neither a reference nor a provider of tokens; publish.yaml must hold no secrets")
}
