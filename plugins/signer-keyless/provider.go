package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// defaultToken is the variable that cosign reads, too; GitLab's `id_tokens` can fill it.
const defaultToken = "SIGSTORE_ID_TOKEN"

// place is where the plugin runs: what it may find there besides variables.
type place struct {
	kubernetesToken string                         // path of a projected token
	productName     string                         // path of what the firmware calls this machine
	googleIAM       string                         // URL of Google's service account credentials API
	terminal        func() (io.WriteCloser, error) // to whoever sits there
}

func newPlace() place {
	return place{
		kubernetesToken: "/var/run/sigstore/cosign/oidc-token", // cosign's own path
		productName:     "/sys/class/dmi/id/product_name",
		googleIAM:       "https://iamcredentials.googleapis.com",
		terminal:        openTerminal,
	}
}

// provider gives identity tokens to whoever runs at a certain place.
type provider struct {
	name      string // as option token names it
	variables []string
	// here tells whether this seems to be the place, apart from the variables. Without it they alone tell.
	here func(place) bool
	// asked is true for one that is never chosen by itself.
	asked bool
	setup string // what to do for it to work
	open  func(p place, o options, n network) (tokenSource, error)
}

// providers are those that can be asked, in the order in which they are looked for.
func providers() []provider {
	return []provider{
		{name: "github", variables: []string{githubURL, githubToken}, setup: "GitHub Actions: give the job `permissions: {id-token: write}`", open: openGitHub},
		{name: "buildkite", variables: []string{buildkiteToken, buildkiteJob}, setup: "Buildkite: the agent sets the variables for each job", open: openBuildkite},
		{name: "circleci", variables: []string{circleToken}, setup: "CircleCI: the job needs a context", open: openCircle},
		{name: "kubernetes", here: placeHasToken, setup: "Kubernetes: mount a service account token with the audience sigstore at /var/run/sigstore/cosign/oidc-token", open: openKubernetes},
		{name: "spiffe", variables: []string{spiffeSocket}, setup: "SPIFFE: the address of the workload API, as unix:///run/spire/agent.sock", open: openSPIFFE},
		{name: "google", here: placeIsGoogle, setup: "Google Cloud: the machine or pod needs a service account", open: openGoogle},
		{name: "browser", asked: true, setup: "a person signs in with a browser on this machine", open: openBrowser},
		{name: "device", asked: true, setup: "a person signs in with a browser on any machine", open: openDevice},
	}
}

func providerNames() []string {
	var names []string
	for _, p := range providers() {
		names = append(names, p.name)
	}
	return names
}

// missing are the variables that the provider needs and this process does not see.
func (p provider) missing() []string {
	var names []string
	for _, name := range p.variables {
		if os.Getenv(name) == "" {
			names = append(names, name)
		}
	}
	return names
}

// findToken chooses where identity tokens come from: what the options say, else the variable, else the first provider
// that is here.
func findToken(at place, o options, n network) (tokenSource, error) {
	switch {
	case o.tokenEnv != "":
		if os.Getenv(o.tokenEnv) == "" {
			return tokenSource{}, signer.Invalidf(fmt.Sprintf("set %s, and list it under `env` of this signer in publish.yaml: a plugin sees no other variables", o.tokenEnv),
				"variable %s, which should hold the identity token, is not set", o.tokenEnv)
		}
		return variableSource(o.tokenEnv), nil
	case o.tokenFile != "":
		return fileSource("tokenFile", o.tokenFile), nil
	case o.provider == "" && os.Getenv(defaultToken) != "":
		return variableSource(defaultToken), nil
	}
	for _, p := range providers() {
		missing := p.missing()
		switch {
		case o.provider == p.name && len(missing) > 0:
			return tokenSource{}, signer.Invalidf(p.setup+". List the variables under `env` of this signer: a plugin sees no others",
				"option \"token\" is %s, and %s is not set", p.name, strings.Join(missing, " and "))
		case o.provider == p.name,
			o.provider == "" && !p.asked && len(missing) == 0 && (p.here == nil || p.here(at)):
			return p.open(at, o, n)
		}
	}
	return tokenSource{}, noToken(at)
}

// noToken says what was looked for, and what to do about it where this seems to run.
func noToken(at place) error {
	for _, name := range []string{"FORGEJO_ACTIONS", "GITEA_ACTIONS"} {
		if os.Getenv(name) == "true" {
			return signer.Invalidf("put a token of an OIDC issuer of your own, which your Fulcio knows, into "+defaultToken+" or tokenFile; or sign here with signer-vault or signer-file",
				"there is no identity token, and the one that Gitea and Forgejo give to a job cannot be used: Fulcio knows no such issuer")
		}
	}
	looked := []string{defaultToken + " (GitLab and others) is not set"}
	for _, p := range providers() {
		for _, name := range p.missing() {
			looked = append(looked, fmt.Sprintf("%s (%s) is not set", name, p.name))
		}
	}
	looked = append(looked, "there is no file "+at.kubernetesToken+" (kubernetes)", "this is no machine of Google Cloud (google)")
	hint := "GitLab: id_tokens: {" + defaultToken + ": {aud: sigstore}}; GitHub Actions: permissions: {id-token: write}; elsewhere: tokenFile or " + defaultToken + ". " +
		"At a terminal: with: {token: browser} or {token: device}. List the variables under `env` of this signer: a plugin sees no others. " +
		"Jobs of Gitea and Forgejo have no token that Fulcio accepts: use an OIDC issuer of your own, signer-vault or signer-file"
	return signer.Invalidf(hint, "there is no identity token: neither option token nor tokenFile is given; %s", strings.Join(looked, "; "))
}

func placeHasToken(at place) bool {
	info, err := os.Stat(at.kubernetesToken)
	return err == nil && info.Mode().IsRegular()
}

func openKubernetes(at place, _ options, _ network) (tokenSource, error) {
	s := fileSource("token", at.kubernetesToken)
	s.fresh = "project the service account token with `audience: %s`; the kubelet renews it"
	return s, nil
}

// circleToken holds a token that CircleCI made when the job began. Its audience is the organization.
const circleToken = "CIRCLE_OIDC_TOKEN_V2" //nolint:gosec // the name of a variable

func openCircle(place, options, network) (tokenSource, error) {
	s := variableSource(circleToken)
	s.fresh = defaultToken + `="$(circleci run oidc get --claims '{"aud":"%s"}')" gets one in a job of CircleCI`
	return s, nil
}
