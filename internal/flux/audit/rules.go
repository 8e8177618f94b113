package audit

// Rule is one thing that an audit looks for. IDs are stable.
type Rule struct {
	ID       string
	Severity Severity // usual; a finding may have another
	Title    string
	Why      string
	// breaks says that a source with such a finding is misconfigured.
	breaks bool
}

// The rules' IDs.
const (
	unverifiedSource    = "unverified-source"
	unverifiedChart     = "unverified-chart"
	unverifiedGit       = "unverified-git"
	unverifiableBucket  = "unverifiable-bucket"
	unverifiableChart   = "unverifiable-chart"
	verifyUnsupported   = "verify-unsupported"
	verificationRemoved = "verification-removed"
	providerUnknown     = "provider-unknown"
	noIdentity          = "no-identity"
	severalIdentities   = "several-identities"
	identityInvalid     = "identity-invalid"
	identityUnanchored  = "identity-unanchored"
	identityBroad       = "identity-broad"
	identityLooseDot    = "identity-loose-dot"
	identityIgnored     = "identity-ignored"
	identityUnsupported = "identity-unsupported"
	rootIgnored         = "trusted-root-ignored"
	rootUnsupported     = "trusted-root-unsupported"
	secretMissing       = "secret-missing"
	secretWithoutKeys   = "secret-without-keys"
	keyInvalid          = "key-invalid"
	privateKey          = "private-key-in-secret"
	severalKeys         = "several-keys-for-chart"
	insecureTransport   = "insecure-transport"
	mutableTag          = "mutable-tag"
	gitMode             = "git-mode"
	gitSubmodules       = "git-submodules"
	suspended           = "suspended"
	patched             = "patched-verification"
	sourceNotFound      = "source-not-found"
	trustDiffers        = "trust-differs"
	unreadable          = "unreadable"
	upstreamUnsigned    = "upstream-unsigned"
	upstreamUnknown     = "upstream-unknown"
	upstreamOther       = "upstream-other-identity"
)

// Rules returns all rules, in a fixed order.
func Rules() []Rule {
	return []Rule{
		{unverifiedSource, Error, "OCI source without verification", "Whoever can push to the repository, or stand in for its registry, decides what the cluster runs.", false},
		{unverifiedChart, Error, "Helm chart without verification", "Whoever can push to the chart's repository, or stand in for its registry, decides what the cluster runs.", false},
		{unverifiedGit, Warning, "Git source without verification", "Whoever can push to the branch, or stand in for the server, decides what the cluster runs; signed commits would tie it to people.", false},
		{unverifiableBucket, Warning, "bucket source", "Flux cannot verify what it reads from a bucket: whoever can write to it decides what the cluster runs.", false},
		{unverifiableChart, Warning, "chart from a Helm repository over HTTP", "Flux cannot verify charts of such a repository: whoever controls its server decides what the cluster runs.", false},
		{verifyUnsupported, Error, "verification where Flux has none", "Flux verifies charts from OCI repositories only: with verify on any other, the chart never becomes ready.", true},
		{verificationRemoved, Error, "a patch removes verification", "What looks verified in the base is applied unverified.", true},
		{providerUnknown, Error, "unknown provider of verification", "Flux knows cosign and notation: with any other, the object is refused.", true},
		{noIdentity, Error, "keyless verification without an identity", "Signatures as bundles all fail, and a legacy signature by anybody with an account at the public Sigstore is accepted.", true},
		{severalIdentities, Error, "more than one identity", "For signatures as bundles Flux hands the list to a verifier that takes exactly one: every artifact is refused.", true},
		{identityInvalid, Error, "an identity that is no regular expression", "Flux cannot compile it and refuses every artifact.", true},
		{identityUnanchored, Warning, "an identity that is open at an end", "Flux searches anywhere in the text: longer issuers, subjects, file names and branches match, too.", false},
		{identityBroad, Error, "an identity that lets strangers in", "Flux accepts what any matching identity signed, not only the one that was meant.", true},
		{identityLooseDot, Info, "an unescaped dot", "A dot in a regular expression stands for any character: another host or file name matches, too.", false},
		{identityIgnored, Warning, "an identity beside a key", "Where secretRef is set, Flux looks at the keys alone: the identity is never checked.", true},
		{identityUnsupported, Error, "an identity where Flux knows none", "The chart of a HelmRelease has no matchOIDCIdentity: Kubernetes drops or refuses it, and no identity is checked.", true},
		{rootIgnored, Warning, "a trusted root beside a key", "A trusted root serves identities alone: with a key, nothing of it is checked.", false},
		{rootUnsupported, Error, "a trusted root where Flux knows none", "Only an OCIRepository (v1, Flux 2.9) takes trustedRootSecretRef: elsewhere it is dropped or refused, and the public Sigstore counts.", true},
		{secretMissing, Warning, "the Secret is not there", "Without its Secret the source never becomes ready; who then creates one of that name decides what is trusted.", true},
		{secretWithoutKeys, Error, "the Secret holds nothing to verify with", "Flux reads entries by their names: without any of the right name it refuses every artifact.", true},
		{keyInvalid, Error, "a key that Flux cannot use", "Flux fails on it, whatever the other keys say; with an empty one it falls back to accepting legacy signatures by anybody.", true},
		{privateKey, Warning, "a private key in a verification Secret", "Verification needs public keys alone: whoever may read this Secret can sign.", false},
		{severalKeys, Warning, "several keys for a chart", "For charts Flux stops at the first key that does not match, in no fixed order: verification fails at random.", true},
		{insecureTransport, Warning, "plain HTTP", "Anybody on the path can replace content, keep back updates, and read credentials.", false},
		{mutableTag, Info, "a tag without a digest", "A tag can be moved: what runs is what it names today. With verification that is how rolling tags are meant to be used.", false},
		{gitMode, Error, "tags are verified and none is named", "Without a tag in ref, Flux has no tag object to verify, and the source stalls.", true},
		{gitSubmodules, Warning, "submodules are not verified", "Flux verifies the commit or tag of the repository itself, not those of its submodules' authors.", false},
		{suspended, Info, "the source is suspended", "Nothing new is fetched and nothing verified until it is resumed.", false},
		{patched, Info, "verification comes from a patch", "Which objects a patch reaches is known only when the kustomization is built: audit the rendered manifests.", false},
		{sourceNotFound, Info, "what it refers to is not among the files", "Whether it is verified could not be told.", false},
		{trustDiffers, Error, "verification of an own app does not fit publish.yaml", "What is signed as publish.yaml says is refused by the cluster.", true},
		{unreadable, Warning, "a document could not be read", "A source in it is not audited.", false},
		{upstreamUnsigned, Info, "upstream is not signed", "Verification cannot be turned on before upstream signs, or a mirror of your own does.", false},
		{upstreamUnknown, Warning, "upstream could not be asked", "Whether it is signed is not known.", false},
		{upstreamOther, Error, "upstream is signed by somebody else", "Flux refuses what is there now: either the identity is out of date, or somebody else signed.", false},
	}
}

func ruleOf(id string) Rule {
	for _, r := range Rules() {
		if r.ID == id {
			return r
		}
	}
	return Rule{ID: id, Severity: Error}
}
