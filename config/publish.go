package config

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// Publish is the content of publish.yaml: which apps are published, where, under which tags, and who signs them.
//
// The tags of its fields are the one source of what the loader accepts, of the JSON Schema and of docs/config.md:
// `jsonschema` holds required, enum, example and limits; `default` a YAML value; `check` names a rule for strings and
// `keys` one for the keys of a map (see checks); `references` marks what may hold nothing but references.
type Publish struct {
	// Version of this format. It is looked at before anything else.
	Version string `koanf:"version" json:"version" jsonschema:"required,enum=v1,example=v1"`
	// Registry that the artifacts are pushed to.
	Registry Registry `koanf:"registry" json:"registry" jsonschema:"required"`
	// Annotations of every artifact, besides those that artifactctl sets itself.
	Annotations map[string]string `koanf:"annotations" json:"annotations,omitempty" keys:"annotation" example:"{org.opencontainers.image.vendor: Example}"`
	// Apps of the fleet. Each becomes one artifact.
	Apps []AppRule `koanf:"apps" json:"apps" jsonschema:"required,minItems=1"`
	// Tags that the artifacts get.
	Tags Tags `koanf:"tags" json:"tags,omitempty"`
	// Signature says how signatures are stored beside the artifacts.
	Signature Signature `koanf:"signature" json:"signature,omitempty"`
	// Provenance has a SLSA provenance attested of every artifact: the commit, the files and the tools that it was built
	// from. The same signer signs it. Needs bundles: see docs/provenance.md.
	Provenance bool `koanf:"provenance" json:"provenance,omitempty"`
	// SBOM has a CycloneDX bill of materials attested of every artifact: the images and charts that its manifests use. The
	// same signer signs it. Needs bundles.
	SBOM bool `koanf:"sbom" json:"sbom,omitempty"`
	// Signer that signs, by its name under `signers`. Commands that publish need one.
	Signer string `koanf:"signer" json:"signer,omitempty" check:"signer" jsonschema:"example=file"`
	// Signers that can be chosen, by name.
	Signers map[string]Signer `koanf:"signers" json:"signers,omitempty" keys:"signer"`
	// Gates check what is rendered before anything is pushed. An app that a gate refuses is not published.
	Gates []Gate `koanf:"gates" json:"gates,omitempty"`
	// Environments change single values for `--env NAME`: maps are merged key by key, lists are replaced.
	Environments map[string]Environment `koanf:"environments" json:"environments,omitempty" keys:"environment"`
}

// Registry is where artifacts are pushed to, and how it is reached.
type Registry struct {
	// URL is `oci://HOST[:PORT][/PATH]` for a registry, without tag, digest or credentials, or `oci-layout:DIR` for a
	// directory relative to the file, which then holds one OCI image layout for each repository.
	URL string `koanf:"url" json:"url" jsonschema:"required,example=oci://ghcr.io/example/fleet,example=oci-layout:./out" check:"url"`
	// Insecure speaks plain HTTP. A registry on a loopback address needs no such permission.
	Insecure bool `koanf:"insecure" json:"insecure,omitempty"`
	// Credentials for the registry. Without them, those of Docker's config file and its credential helpers are used.
	Credentials Credentials `koanf:"credentials" json:"credentials,omitempty" references:"true"`
	// TLS of the connection to the registry.
	TLS TLS `koanf:"tls" json:"tls,omitempty"`
	// Timeout of a single request, as a Go duration.
	Timeout time.Duration `koanf:"timeout" json:"timeout,omitempty" default:"30s" check:"duration" example:"90s"`
	// Retries of a request that failed for a reason that may pass (429, 5xx, a reset connection).
	Retries int `koanf:"retries" json:"retries,omitempty" default:"4" jsonschema:"minimum=0,maximum=20" example:"8"`
}

// Credentials name where a user name and a password are found. They never hold the values themselves.
type Credentials struct {
	// Username is a reference: env://NAME or file://PATH.
	Username Reference `koanf:"username" json:"username,omitempty" check:"reference" jsonschema:"example=env://REGISTRY_USERNAME"`
	// Password is a reference: env://NAME or file://PATH.
	Password Reference `koanf:"password" json:"password,omitempty" check:"reference" jsonschema:"example=env://REGISTRY_PASSWORD,example=file:///run/secrets/registry"`
}

// TLS names PEM files, relative to publish.yaml.
type TLS struct {
	// CA is a file of certificates that are trusted besides those of the system.
	CA string `koanf:"ca" json:"ca,omitempty" check:"file" jsonschema:"example=certs/ca.pem"`
	// Cert is the client's certificate. It needs a key.
	Cert string `koanf:"cert" json:"cert,omitempty" check:"file" jsonschema:"example=certs/client.pem"`
	// Key is the file with the key of the client's certificate.
	Key string `koanf:"key" json:"key,omitempty" check:"file" jsonschema:"example=certs/client.key"`
}

// Render is how the files of an artifact come about.
type Render string

// The ways to render.
const (
	RenderKustomize Render = "kustomize" // one file, manifests.yaml, with exactly kustomize's output
	RenderNone      Render = "none"      // the directory as it stands
)

// AppRule is an entry under `apps`: one app, or one for each directory that a glob matches.
type AppRule struct {
	// Name of the app. By default it is the name of its directory, as it always is when path is a glob.
	Name string `koanf:"name" json:"name,omitempty" check:"app" jsonschema:"example=flux-system"`
	// Path of the app's directory relative to the file, or a glob: `*`, `?`, `[a-z]`, `{a,b}` and `**`. A glob stands
	// for one app for each directory that it matches, hidden ones left out.
	Path string `koanf:"path" json:"path" jsonschema:"required,example=apps/*,example=clusters/production" check:"path"`
	// Repository of the app below the registry's URL. The placeholder {app} stands for the app's name.
	Repository string `koanf:"repository" json:"repository,omitempty" default:"{app}" check:"repository" jsonschema:"example=apps/{app}"`
	// Render is kustomize to publish what kustomize renders, or none to publish the directory as it stands.
	Render Render `koanf:"render" json:"render,omitempty" default:"kustomize" jsonschema:"enum=kustomize,enum=none,example=none"`
	// Ignore lists files to leave out, as gitignore patterns. Only for `render: none`.
	Ignore []string `koanf:"ignore" json:"ignore,omitempty" check:"pattern" jsonschema:"example=*.md"`
	// Helm allows kustomize to inflate Helm charts, which runs the helm command. Only for `render: kustomize`.
	Helm bool `koanf:"helm" json:"helm,omitempty"`
	// RemoteBases allows kustomize to load bases over the network. Only for `render: kustomize`.
	RemoteBases bool `koanf:"remoteBases" json:"remoteBases,omitempty"`
	// Annotations of this app's artifact. They win over the annotations of every artifact.
	Annotations map[string]string `koanf:"annotations" json:"annotations,omitempty" keys:"annotation" example:"{org.opencontainers.image.title: Guestbook}"`
}

// Tags are templates of tags. Placeholders: {app}, {commit} (7 hex digits), {version} (the release tag without its v)
// and {branch} (made fit for a tag).
type Tags struct {
	// Commit is the immutable tag of every artifact that is pushed. It needs {commit}, and may use {app} and {branch}.
	// Empty turns it off.
	Commit string `koanf:"commit" json:"commit,omitempty" default:"sha-{commit}" check:"commit" jsonschema:"example=sha-{commit}"`
	// Rolling maps a branch, or a glob such as `release/*`, to the tag that follows it. It may use {app} and {branch}.
	// An empty tag turns that branch off. The default counts only where the file has no such map.
	Rolling map[string]string `koanf:"rolling" json:"rolling,omitempty" default:"{main: edge}" check:"rolling" keys:"branch" example:"{main: edge, release/*: \"{branch}\"}"`
	// Release is the immutable tag of every app when a git tag such as v1.4.2 is published. It needs {version}, and may
	// use {app} and {commit}. Empty turns it off.
	Release string `koanf:"release" json:"release,omitempty" default:"\"{version}\"" check:"release" jsonschema:"example={version}"`
}

// Format is how a signature is stored beside its artifact.
type Format string

// The formats.
const (
	FormatBundle Format = "bundle" // a Sigstore bundle as an OCI 1.1 referrer: Flux 2.8 and later
	FormatLegacy Format = "legacy" // cosign's older `.sig` tag: Flux before 2.8
	FormatBoth   Format = "both"
)

// Signature says how signatures are stored.
type Signature struct {
	// Format is bundle (a Sigstore bundle, Flux 2.8 and later), legacy (cosign's older form) or both.
	Format Format `koanf:"format" json:"format,omitempty" default:"bundle" jsonschema:"enum=bundle,enum=legacy,enum=both,example=both"`
	// Batch has one bundle made for all artifacts that a run signs, up to 1,000 at a time, and stores it beside each of
	// them: one signature and one entry in the transparency log in place of hundreds. Whoever reads the bundle of one
	// artifact learns the digests of all. Legacy signatures are made one by one nevertheless.
	Batch bool `koanf:"batch" json:"batch,omitempty"`
}

// Signer is a plugin with its options, and what a signature by it is checked against.
type Signer struct {
	// Plugin is the name of the plugin's executable. It is looked for in `path`, in $ARTIFACTCTL_PLUGIN_DIR, beside
	// artifactctl, and in artifactctl/plugins below $XDG_DATA_HOME, never in the working directory or $PATH.
	Plugin string `koanf:"plugin" json:"plugin" jsonschema:"required,example=signer-file" check:"plugin"`
	// Path of the executable relative to the file, when it is not where plugins are looked for.
	Path string `koanf:"path" json:"path,omitempty" check:"file" jsonschema:"example=tools/signer-file"`
	// SHA256 pins the executable: os/arch to the sha256 of the file, in hex.
	SHA256 map[string]string `koanf:"sha256" json:"sha256,omitempty" check:"sha256" keys:"platform" example:"{linux/amd64: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855}"`
	// Env lists the names of the variables that the plugin gets to see. It sees no others.
	Env []string `koanf:"env" json:"env,omitempty" check:"variable" jsonschema:"uniqueItems=true,example=COSIGN_KEY,example=COSIGN_PASSWORD"`
	// With holds the plugin's own options. It never holds secrets, but names where the plugin finds them. Nothing in it
	// is replaced: ${NAME} stays as it is.
	With map[string]any `koanf:"with" json:"with,omitempty" example:"{key: env://COSIGN_KEY}"`
	// Trust is what each signature is checked against, here and in the cluster.
	Trust Trust `koanf:"trust" json:"trust,omitempty"`
}

// Trust says whose signatures are good: those of a key, or those of an identity that a certificate names (keyless).
type Trust struct {
	// PublicKey is a PEM file relative to publish.yaml, or a list of them when keys are being rotated.
	PublicKey Paths `koanf:"publicKey" json:"publicKey,omitempty" check:"file" example:"cosign.pub"`
	// Issuer is who vouched for the identity: the OIDC issuer in the certificate, exactly.
	Issuer string `koanf:"issuer" json:"issuer,omitempty" check:"identity" jsonschema:"example=https://token.actions.githubusercontent.com"`
	// IssuerRegExp is a regular expression for the issuer, in place of `issuer`. It begins with ^ and ends with $.
	IssuerRegExp string `koanf:"issuerRegExp" json:"issuerRegExp,omitempty" check:"regexp" example:"^https://gitlab\\.(?:com|example\\.com)$"`
	// Subject is the identity itself: the subject alternative name in the certificate, exactly.
	Subject string `koanf:"subject" json:"subject,omitempty" check:"identity" jsonschema:"example=https://github.com/example/fleet/.github/workflows/publish.yaml@refs/heads/main"`
	// SubjectRegExp is a regular expression for the subject, in place of `subject`. It begins with ^ and ends with $.
	SubjectRegExp string `koanf:"subjectRegExp" json:"subjectRegExp,omitempty" check:"regexp" example:"^https://github\\.com/example/fleet/\\.github/workflows/publish\\.yaml@refs/tags/v.*$"`
	// TrustedRoot is a Sigstore trusted root, a JSON file relative to publish.yaml: the authorities and logs that
	// certificates and log entries are checked against. `cosign trusted-root create` makes one. Without it and without
	// `tufMirror`, the root of the public Sigstore is fetched.
	TrustedRoot string `koanf:"trustedRoot" json:"trustedRoot,omitempty" check:"file" jsonschema:"example=trusted_root.json"`
	// TUFMirror is the URL of a TUF repository that the trusted root is fetched from: a mirror of the public Sigstore's or,
	// with `tufRoot`, one of your own.
	TUFMirror string `koanf:"tufMirror" json:"tufMirror,omitempty" check:"mirror" jsonschema:"example=https://tuf.example.com"`
	// TUFRoot is where the trust in `tufMirror` begins: its root.json of any version, a file relative to publish.yaml. By
	// default it is that of the public Sigstore.
	TUFRoot string `koanf:"tufRoot" json:"tufRoot,omitempty" check:"file" jsonschema:"example=tuf_root.json"`
}

// Keyless reports whether an identity is trusted, and not a key.
func (t Trust) Keyless() bool {
	return t.Issuer != "" || t.IssuerRegExp != "" || t.Subject != "" || t.SubjectRegExp != ""
}

// Paths is a list of paths. In the file, a list of one may be written as that one.
type Paths []string

// Environment holds what `--env` changes.
type Environment struct {
	// Registry replaces single values of `registry`.
	Registry Registry `koanf:"registry" json:"registry,omitempty"`
	// Annotations are added to `annotations`.
	Annotations map[string]string `koanf:"annotations" json:"annotations,omitempty" keys:"annotation" example:"{org.opencontainers.image.vendor: Example}"`
	// Tags replaces single values of `tags`.
	Tags Tags `koanf:"tags" json:"tags,omitempty"`
	// Signature replaces `signature`.
	Signature Signature `koanf:"signature" json:"signature,omitempty"`
	// Provenance replaces `provenance`.
	Provenance bool `koanf:"provenance" json:"provenance,omitempty"`
	// SBOM replaces `sbom`.
	SBOM bool `koanf:"sbom" json:"sbom,omitempty"`
	// Signer replaces `signer`.
	Signer string `koanf:"signer" json:"signer,omitempty" check:"signer" jsonschema:"example=vault"`
	// Signers are added to `signers`, or change single values of them.
	Signers map[string]Signer `koanf:"signers" json:"signers,omitempty" keys:"signer"`
}

// layoutScheme begins the URL of a directory that serves as a registry.
const layoutScheme = "oci-layout:"

// ociScheme begins the URL of a registry.
const ociScheme = "oci://"

// Layout returns the directory of an `oci-layout:` URL as it is written, and whether the registry is one.
func (r Registry) Layout() (dir string, ok bool) { return strings.CutPrefix(r.URL, layoutScheme) }

// Host returns the host, with its port, and the path below it that an `oci://` URL names. Both are empty for a
// directory. The path has no slash at either end.
func (r Registry) Host() (host, prefix string) {
	rest, ok := strings.CutPrefix(r.URL, ociScheme)
	if !ok {
		return "", ""
	}
	host, prefix, _ = strings.Cut(rest, "/")
	return host, prefix
}

// Abs returns a path of the file as an absolute one.
func (c *Config) Abs(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.Dir, filepath.FromSlash(path))
}

// ActiveSigner returns the signer that `signer` names. The error says that no signer is chosen: Load has made sure that
// the chosen one exists.
func (c *Config) ActiveSigner() (Signer, error) {
	s, ok := c.Signers[c.Signer]
	if !ok {
		return Signer{}, &Invalid{Problems: []Problem{{
			File: c.File, Path: "signer", Message: "no signer is chosen",
			Hint: fmt.Sprintf("set signer: to one of the names under signers:%s", listed(" ", keysOf(c.Signers))),
		}}}
	}
	return s, nil
}
