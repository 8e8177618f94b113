package main

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// options is the with: block.
type options struct {
	key     string // the URI, with the version if there is one and the service's URIs can say it
	scheme  string // what stands before "://"
	version string // empty: the URI says it, or there is none, or it is the latest
	program string // path of the program, for schemes that are not built in
	sha256  string // its pin, in hex
}

// programName is what may stand before "://" when a program serves it: the rest of a file name, never a path.
var programName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

const exampleKeys = "write one of key: awskms:///arn:aws:kms:REGION:ACCOUNT:key/ID, gcpkms://projects/P/locations/L/keyRings/R/cryptoKeys/K/cryptoKeyVersions/V, azurekms://NAME.vault.azure.net/KEY/VERSION, hashivault://KEY"

func parseOptions(with map[string]any) (options, provider, error) {
	var o options
	if err := signer.CheckOptions(with, "key", "keyVersion", "program", "sha256"); err != nil {
		return o, provider{}, err
	}
	for name, value := range with {
		if err := o.set(name, value); err != nil {
			return o, provider{}, err
		}
	}
	if o.key == "" {
		return o, provider{}, signer.Invalidf(exampleKeys, "option \"key\" is missing")
	}
	p, err := o.provider()
	return o, p, err
}

func (o *options) set(name string, value any) error {
	if name == "sha256" {
		sum, err := parsePin(value)
		o.sha256 = sum
		return err
	}
	if number, ok := value.(int); ok && name == "keyVersion" {
		value = fmt.Sprint(number) // YAML's 3 is meant as "3"
	}
	text, ok := value.(string)
	if !ok || text == "" {
		return signer.Invalidf("", "option %q must be a text that is not empty", name)
	}
	switch name {
	case "key":
		o.key = text
		return o.checkKey()
	case "keyVersion":
		o.version = text
	case "program":
		o.program = text
	}
	return nil
}

// checkKey says what is wrong with a key that is not of the form SCHEME://REST, and never repeats one with a password.
func (o *options) checkKey() error {
	scheme, rest, found := strings.Cut(o.key, "://")
	switch host, _, _ := strings.Cut(rest, "/"); {
	case strings.Contains(o.key, "-----BEGIN"):
		return signer.Invalidf("a key in a file or a variable is for signer-file", "option \"key\" holds the key itself; publish.yaml must hold no secrets")
	case found && strings.Contains(host, "@"):
		return signer.Invalidf("credentials come through the variables that `env` lists", "option \"key\" holds a user or password")
	case !found || !programName.MatchString(scheme) || rest == "":
		return signer.Invalidf(guessKey(o.key), "option \"key\": %q is no URI of a key", o.key)
	}
	o.scheme = scheme
	return nil
}

// guessKey is advice for a key that is named as other tools name it.
func guessKey(key string) string {
	switch {
	case strings.HasPrefix(key, "arn:"), strings.HasPrefix(key, "alias/"):
		return "write key: awskms:///" + key
	case strings.HasPrefix(key, "projects/"):
		return "write key: gcpkms://" + key
	}
	return exampleKeys
}

// provider chooses who serves the scheme of the key, and has the rest of the options checked by its rules.
func (o *options) provider() (provider, error) {
	var p provider
	switch o.scheme {
	case "awskms":
		p = awsProvider()
	case "gcpkms":
		p = gcpProvider()
	case "azurekms":
		p = azureProvider()
	case "hashivault", "openbao":
		p = vaultProvider()
	case "file", "env", "k8s", "gitlab", "github", "http", "https", "pkcs11":
		return p, signer.Invalidf(elsewhere(o.key), "option \"key\": %s:// is not the scheme of a key management service", o.scheme)
	default:
		p = programProvider()
		return p, o.checkProgram()
	}
	if o.program != "" || o.sha256 != "" {
		return p, signer.Invalidf("remove program and sha256", "%s:// is built in and needs no program", o.scheme)
	}
	return p, p.check(o)
}

// elsewhere is advice for a key that another signer takes, or that is the address of Azure's key identifier.
func elsewhere(key string) string {
	u, err := url.Parse(key)
	if err == nil && u.Scheme == "https" {
		if path, ok := strings.CutPrefix(u.Path, "/keys/"); ok {
			return "write key: azurekms://" + u.Host + "/" + path
		}
	}
	if err == nil && (u.Scheme == "file" || u.Scheme == "env") {
		return "a key in a file or a variable is for signer-file"
	}
	return exampleKeys
}
