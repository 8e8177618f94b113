package main

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// defaultMount is where the transit engine is unless it was mounted elsewhere.
const defaultMount = "transit"

// options is the with: block.
type options struct {
	address    string // empty: from the environment
	namespace  string // empty: from the environment
	mount      string
	key        string
	keyVersion int    // 0: the latest
	tokenFile  string // empty: from the environment
	auth       authOptions
}

// Names as the transit engine takes them for keys, and segments of a mount's path that mean themselves in a URL.
var (
	keyName      = regexp.MustCompile(`^\w([\w.-]*\w)?$`)
	mountSegment = regexp.MustCompile(`^[^\s/?#%\\*+]+$`)
)

func parseOptions(with map[string]any) (options, error) {
	o := options{mount: defaultMount}
	if err := signer.CheckOptions(with, "key", "mount", "namespace", "keyVersion", "address", "tokenFile", "auth"); err != nil {
		return o, err
	}
	for name, value := range with {
		if err := o.set(name, value); err != nil {
			return o, err
		}
	}
	if o.key == "" {
		return o, signer.Invalidf("write with: {key: NAME}, the name of a key in the transit engine", "option \"key\" is missing")
	}
	if o.tokenFile != "" && (o.auth.logsIn() || o.auth.token != (source{})) {
		return o, signer.Invalidf("leave one of them out", "options \"tokenFile\" and \"auth\" both say where the token comes from")
	}
	return o, nil
}

func (o *options) set(name string, value any) (err error) {
	switch name {
	case "keyVersion":
		return o.setVersion(value)
	case "auth":
		o.auth, err = parseAuth(value)
		return err
	}
	text, ok := value.(string)
	if !ok || text == "" {
		return signer.Invalidf("", "option %q must be a text that is not empty", name)
	}
	switch name {
	case "key":
		o.key = text
		return checkKey(text)
	case "mount":
		o.mount = strings.Trim(text, "/")
		return checkPath(name, o.mount)
	case "namespace":
		o.namespace = strings.Trim(text, "/")
		return checkPath(name, o.namespace)
	case "address":
		o.address = text
		return checkAddress("option \"address\"", text)
	default:
		o.tokenFile = strings.TrimPrefix(text, "file://")
		return nil
	}
}

func (o *options) setVersion(value any) error {
	text := fmt.Sprint(value)
	if text == "latest" {
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return signer.Invalidf("write keyVersion: 3, or leave it out for the latest", "option \"keyVersion\" must be a number from 1, or latest")
	}
	o.keyVersion = n
	return nil
}

func checkKey(name string) error {
	if keyName.MatchString(name) {
		return nil
	}
	hint := "a key has a name of letters, digits, _, - and .; where the engine is mounted belongs into the option mount"
	if _, last, ok := strings.Cut(name, "://"); ok && keyName.MatchString(last) {
		hint = "write only the name: key: " + last
	}
	return signer.Invalidf(hint, "option \"key\": %q is no name of a transit key", name)
}

func checkPath(option, path string) error {
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "." || segment == ".." || !mountSegment.MatchString(segment) {
			return signer.Invalidf("", "option %q: %q is no path that can be mounted", option, path)
		}
	}
	return nil
}

// checkAddress never repeats an address that may hold a password.
func checkAddress(where, address string) error {
	u, err := url.Parse(address)
	if err == nil && u.User != nil {
		return signer.Invalidf("the token belongs into VAULT_TOKEN or a file", "%s holds a user or password", where)
	}
	if err != nil || !slices.Contains([]string{"http", "https", "unix"}, u.Scheme) || u.Host+u.Path == "" {
		return signer.Invalidf("write it like https://vault.example.com:8200", "%s is no address of a server", where)
	}
	return nil
}
