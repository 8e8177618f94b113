package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// Methods by which the plugin gets a token. Their names are those under which Vault mounts them by default.
const (
	methodToken      = "token"
	methodAppRole    = "approle"
	methodJWT        = "jwt"
	methodKubernetes = "kubernetes"
	methodCert       = "cert"
)

// authOptions is the option "auth": how the plugin logs in. It holds no secrets, only where they are. The zero value
// means that somebody else has logged in, and the token is found where the vault command finds it.
type authOptions struct {
	method    string
	mount     string // of the method, without auth/
	namespace string // of the method; empty: that of the key
	role      string
	roleID    source
	secretID  source
	wrapped   bool // secretID is a wrapping token, which holds the secret id
	jwt       source
	audience  string // of tokens that GitHub makes
	token     source
}

// logsIn tells whether the plugin gets a token of its own.
func (a authOptions) logsIn() bool { return a.method != "" && a.method != methodToken }

// optionsOf are the options of a method, nil if there is no such method.
func optionsOf(method string) []string {
	login := []string{"method", "mount", "namespace"}
	switch method {
	case methodToken:
		return []string{"method", "token"}
	case methodAppRole:
		return append(login, "roleID", "secretID", "wrapped")
	case methodJWT:
		return append(login, "role", "jwt", "audience")
	case methodKubernetes:
		return append(login, "role", "jwt")
	case methodCert:
		return append(login, "role")
	}
	return nil
}

func parseAuth(value any) (authOptions, error) {
	block, ok := value.(map[string]any)
	if !ok {
		return authOptions{}, signer.Invalidf("write auth: {method: approle, roleID: …}, for example", "option \"auth\" must be a block of options")
	}
	method, _ := block["method"].(string)
	known := optionsOf(method)
	if known == nil {
		return authOptions{}, signer.Invalidf("the methods are: "+strings.Join([]string{methodAppRole, methodJWT, methodKubernetes, methodCert, methodToken}, ", "),
			"option \"auth.method\" must name one of the methods to log in")
	}
	if err := checkAuthOptions(block, method, known); err != nil {
		return authOptions{}, err
	}
	a := authOptions{method: method, mount: method}
	for name, value := range block {
		if err := a.set(name, value); err != nil {
			return authOptions{}, err
		}
	}
	return a, a.complete()
}

// checkAuthOptions refuses unknown options, and those of other methods.
func checkAuthOptions(block map[string]any, method string, known []string) error {
	every := slices.Clone(known)
	for _, other := range []string{methodToken, methodAppRole, methodJWT, methodKubernetes, methodCert} {
		every = append(every, optionsOf(other)...)
	}
	for name := range block {
		if slices.Contains(every, name) && !slices.Contains(known, name) {
			return signer.Invalidf("its options are: "+strings.Join(known, ", "), "option \"auth.%s\" does not belong to the method %s", name, method)
		}
	}
	if err := signer.CheckOptions(block, known...); err != nil {
		return fmt.Errorf("option \"auth\": %w", err)
	}
	return nil
}

func (a *authOptions) set(name string, value any) (err error) {
	if name == "wrapped" {
		is, ok := value.(bool)
		if !ok {
			return signer.Invalidf("", "option \"auth.wrapped\" must be true or false")
		}
		a.wrapped = is
		return nil
	}
	text, ok := value.(string)
	if !ok || strings.TrimSpace(text) == "" {
		return signer.Invalidf("", "option \"auth.%s\" must be a text that is not empty", name)
	}
	switch name {
	case "mount":
		a.mount = strings.TrimPrefix(strings.Trim(text, "/"), "auth/")
		return checkPath("auth.mount", a.mount)
	case "namespace":
		a.namespace = strings.Trim(text, "/")
		return checkPath("auth.namespace", a.namespace)
	case "role":
		a.role = text
	case "audience":
		a.audience = text
	case "roleID":
		a.roleID, err = parseSource("auth."+name, "role id", text, true)
	case "secretID":
		a.secretID, err = parseSource("auth."+name, "secret id", text, false)
	case "jwt":
		a.jwt, err = parseSource("auth."+name, "JWT", text, false)
	case "token":
		a.token, err = parseSource("auth."+name, "token", text, false)
	}
	return err
}

// complete fills in where things are by default, and says what is missing.
func (a *authOptions) complete() error {
	switch a.method {
	case methodAppRole:
		a.roleID = a.roleID.or(source{what: "role id", env: roleIDVariable})
		if a.wrapped && a.secretID == (source{}) {
			return signer.Invalidf("write secretID: file://PATH or env://NAME", "option \"auth.wrapped\" needs the option \"auth.secretID\": where the wrapping token is")
		}
	case methodJWT:
		if a.audience != "" && a.jwt != (source{}) {
			return signer.Invalidf("elsewhere, whoever makes the token decides for whom it is", "option \"auth.audience\" is only for the tokens that the plugin asks GitHub for, without the option \"auth.jwt\"")
		}
	case methodKubernetes:
		a.jwt = a.jwt.or(source{what: "service account token", file: serviceAccountToken})
		if a.role == "" {
			return signer.Invalidf("write role: NAME, a role of the method that is bound to this service account", "option \"auth.role\" is missing")
		}
	}
	return nil
}
