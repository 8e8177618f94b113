package attest_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/sigstore/sigstore-go/pkg/verify"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
)

// conformance names a directory with a checkout of github.com/sigstore/sigstore-conformance; its vectors are not part of
// this repository. The tables below are of commit a73de4970176d258e0154c530b89d20b89444e4d (2026-08-19).
const conformance = "SIGSTORE_CONFORMANCE"

// What the suite signs as, where a vector does not say otherwise (test/client.py).
const (
	suiteIssuer  = "https://token.actions.githubusercontent.com"
	suiteSubject = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main"
)

// What becomes of a good vector as the signature of a container.
const (
	accepted  = ""
	oldBundle = "is older than v0.3"
	blob      = "it holds no in-toto statement"
)

// goodVectors are those that a verifier must accept. Ours do; but only a statement in a bundle of today can stand beside
// a container, so that the rest is refused above the verifiers, for this reason.
var goodVectors = map[string]string{
	"bundle-with-sct-with-extensions":          blob,
	"happy-path-intoto-in-dsse-v3":             accepted,
	"happy-path-v0.1":                          oldBundle,
	"happy-path-v0.2":                          oldBundle,
	"happy-path-v0.3":                          blob,
	"happy-path-v0.3-new-mediaType":            blob,
	"intoto-with-custom-trust-root":            oldBundle,
	"managed-key-and-trusted-root":             blob,
	"managed-key-happy-path":                   blob,
	"rekor2-checkpoint-cosigned":               blob,
	"rekor2-checkpoint-multiple-cosigs":        blob,
	"rekor2-checkpoint-origin-not-first":       blob,
	"rekor2-checkpoint-two-sigs-cosigned":      blob,
	"rekor2-checkpoint-two-sigs-from-origin":   blob,
	"rekor2-dsse-happy-path":                   accepted,
	"rekor2-happy-path":                        blob,
	"rekor2-timestamp-with-embedded-cert":      blob,
	"rekor2-timestamp-with-expired-cert-chain": blob,
	"rekor2-timestamp-without-embedded-cert":   blob,
	"trust-root-tlog-validity-end-inclusive":   oldBundle,
	"trust-root-tsa-validity-end-inclusive":    blob,
}

// badVectors are those that a verifier must refuse, with a part of the reason that ours give.
var badVectors = map[string]string{
	"bundle-empty-certificate-chain_fail":                       "missing required checkpoint",
	"bundle-from-wrong-instance_fail":                           "not enough verified log entries",
	"bundle-invalid-base64-signature_fail":                      "invalid value for bytes field signature",
	"bundle-malformed-json_fail":                                "unexpected EOF",
	"bundle-negative-log-index_fail":                            "nil value in transaction log entry",
	"bundle-unknown-version_fail":                               "unsupported media type",
	"bundle-with-root-cert_fail":                                "missing required checkpoint",
	"checkpoint-bad-keyhint_fail":                               "signature on checkpoint did not verify",
	"checkpoint-wrong-roothash_fail":                            "root hash does not match signed tree head",
	"dsse-invalid-sig_fail":                                     "transparency log signature does not match",
	"dsse-mismatch-envelope_fail":                               "transparency log signature does not match",
	"dsse-mismatch-sig_fail":                                    "transparency log signature does not match",
	"inclusion-proof-corrupted-hash_fail":                       "does not match expected root",
	"incorrect-public-key_fail":                                 "invalid signature when validating ASN.1 encoded signature",
	"integrated-time-in-future_fail":                            "integrated time outside certificate validity",
	"intoto-expired-certificate_fail":                           "integrated time outside certificate validity",
	"intoto-log-entry-mismatch_fail":                            "could not verify envelope",
	"intoto-missing-inclusion-proof_fail":                       "inclusion proof missing",
	"intoto-set-outside-signing-cert-validity_fail":             "integrated time outside certificate validity",
	"intoto-tsa-timestamp-outside-cert-validity_fail":           "leaf certificate verification failed",
	"invalid-checkpoint-signature_fail":                         "signature on checkpoint did not verify",
	"invalid-ct-key_fail":                                       "only able to verify 0 SCT entries",
	"invalid-inclusion-proof_fail":                              "missing required checkpoint",
	"managed-key-no-key_fail":                                   "transparency log certificate does not match",
	"managed-key-wrong-key_fail":                                "point not on curve", // the key itself is refused
	"message-digest-mismatch_fail":                              "does not match artifact",
	"rekor2-checkpoint-missing-log-signature_fail":              "malformed note",
	"rekor2-checkpoint-missing-origin_fail":                     "failed to verify signatures on checkpoint",
	"rekor2-checkpoint-missing-root-hash_fail":                  "failed to verify signatures on checkpoint",
	"rekor2-checkpoint-missing-size_fail":                       "failed to verify signatures on checkpoint",
	"rekor2-checkpoint-no-matching-signature_fail":              "note has no verifiable signatures",
	"rekor2-dsse-invalid-sig_fail":                              "does not match expected root",
	"rekor2-dsse-mismatch-envelope_fail":                        "does not match expected root",
	"rekor2-dsse-mismatch-sig_fail":                             "does not match expected root",
	"rekor2-no-inclusion-proof_fail":                            "inclusion proof missing",
	"rekor2-no-timestamp_fail":                                  "threshold not met for verified signed timestamps",
	"rekor2-timestamp-outside-trust-root-tsa-validity_fail":     "timestamp is after the validity period end",
	"rekor2-timestamp-outside-tsa-cert-validity_fail":           "is outside of certificate validity",
	"rekor2-timestamp-payload-mismatch_fail":                    "hashed messages don't match",
	"rekor2-timestamp-untrusted-tsa-with-embedded-cert_fail":    "does not match the provided TSA certificate",
	"rekor2-timestamp-untrusted-tsa-without-embedded-cert_fail": "No certificate for signer",
	"rekor2-timestamp-with-incorrect-time_fail":                 "leaf certificate verification failed",
	"set-invalid-signature_fail":                                "not enough verified log entries",
	"signature-mismatch_fail":                                   "transparency log signature does not match",
	"trust-root-tlog-missing-validity-start_fail":               "missing public key validity period start", // so is the root
	"wrong-hashedrekord-artifact_fail":                          "transparency log signature does not match",
	"wrong-hashedrekord-cert-and-sig_fail":                      "transparency log signature does not match",
	"wrong-hashedrekord-entry_fail":                             "transparency log signature does not match",
	"wrong-material_fail":                                       "failed to verify signature",
}

var timestampInJSON = regexp.MustCompile(`"signedTimestamp":\s*"[^"]*"`)

// vector is one directory of the suite.
type vector struct {
	content, subject []byte
	key              []byte // nil: an identity signed
	identity         attest.IdentityOptions
}

func loadVector(t *testing.T, dir string, publicRoot []byte) vector {
	t.Helper()
	read := func(name string, otherwise []byte) []byte {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) && otherwise != nil {
			return otherwise
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		return text
	}
	standard, err := os.ReadFile(filepath.Join(filepath.Dir(dir), "a.txt"))
	if err != nil {
		t.Fatal(err)
	}
	v := vector{content: read("bundle.sigstore.json", nil), subject: read("artifact", standard), key: read("key.pub", nil)}
	v.identity = attest.IdentityOptions{
		Issuer:      strings.TrimSpace(string(read("issuer", []byte(suiteIssuer)))),
		Subject:     strings.TrimSpace(string(read("identity", []byte(suiteSubject)))),
		TrustedRoot: read("trusted_root.json", publicRoot),
	}
	return v
}

func (v vector) policy() (attest.Policy, error) {
	if v.key != nil {
		return attest.KeyPolicy(v.key)
	}
	return attest.IdentityPolicy(v.identity)
}

// verify asks the verifiers, with the subject's digest and with its bytes, as the suite does.
func (v vector) verify() error {
	p, err := v.policy()
	if err != nil {
		return err
	}
	sum := sha256.Sum256(v.subject)
	byDigest := p.VerifyBlob(v.content, verify.WithArtifactDigest("sha256", sum[:]))
	byBytes := p.VerifyBlob(v.content, verify.WithArtifact(bytes.NewReader(v.subject)))
	if (byDigest == nil) != (byBytes == nil) {
		return fmt.Errorf("the digest says %w, the bytes say %w", byDigest, byBytes)
	}
	return byDigest
}

// attestation asks for what may stand beside a container, and fails when the vector counts as its signature.
func (v vector) attestation(t *testing.T) error {
	t.Helper()
	p, err := v.policy()
	if err != nil {
		return err
	}
	sum := sha256.Sum256(v.subject)
	digest := "sha256:" + hex.EncodeToString(sum[:])
	format := artifact.FormatBundle
	if p.Judge(digest, []artifact.Signature{{Format: format, Content: v.content}}, []artifact.Format{format}).Good() {
		t.Error("it counts as the signature of a container")
	}
	_, err = p.Attestation(digest, v.content)
	return err
}

// Every static vector of the conformance suite passes through the verifiers, none is skipped.
func TestConformance(t *testing.T) {
	root := os.Getenv(conformance)
	if root == "" {
		t.Skipf("%s names no checkout of github.com/sigstore/sigstore-conformance", conformance)
	}
	all := filepath.Join(root, "test", "assets", "bundle-verify")
	publicRoot := publicGoodRoot(t)
	count := map[string]int{}
	for _, name := range vectorNames(t, all) {
		t.Run(name, func(t *testing.T) {
			v := loadVector(t, filepath.Join(all, name), publicRoot)
			if strings.HasSuffix(name, "fail") {
				refuses(t, name, v)
			} else {
				accepts(t, name, v)
			}
			kind := "identity"
			if v.key != nil {
				kind = "key"
			}
			if !t.Failed() {
				count["passed"]++
				count[kind]++
				count[goodVectors[name]]++
			}
		})
	}
	want := len(goodVectors) + len(badVectors)
	if count["passed"] != want {
		t.Errorf("%d vectors passed, want %d", count["passed"], want)
	}
	t.Logf("%d vectors: %d pass as the suite expects (%d by a key, %d by an identity), 0 skipped", want, count["passed"], count["key"], count["identity"])
	t.Logf("of %d good ones, no signature of a container are %d over blobs and %d in old bundles", len(goodVectors), count[blob], count[oldBundle])
}

func vectorNames(t *testing.T, all string) []string {
	t.Helper()
	entries, err := os.ReadDir(all)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	for _, table := range []map[string]string{goodVectors, badVectors} {
		for name := range table {
			if !slices.Contains(names, name) {
				t.Errorf("%s is not in the checkout", name)
			}
		}
	}
	return names
}

func accepts(t *testing.T, name string, v vector) {
	t.Helper()
	want, known := goodVectors[name]
	if !known {
		t.Error("a vector that is not in the table")
	}
	if err := v.verify(); err != nil {
		t.Errorf("refused: %v", err)
	}
	err := v.attestation(t)
	if (err == nil) != (want == accepted) || (err != nil && !strings.Contains(err.Error(), want)) {
		t.Errorf("beside a container: got %v, want %q", err, want)
	}
}

func refuses(t *testing.T, name string, v vector) {
	t.Helper()
	want, known := badVectors[name]
	if !known {
		t.Error("a vector that is not in the table")
	}
	if v.verify() == nil {
		t.Error("accepted")
	}
	if v.attestation(t) == nil {
		t.Error("accepted beside a container")
	}
	if name == "rekor2-timestamp-with-incorrect-time_fail" {
		// The line breaks in its base64 alone make it no bundle: without them it is about the time.
		v.content = timestampInJSON.ReplaceAllFunc(v.content, func(text []byte) []byte { return bytes.ReplaceAll(text, []byte(`\n`), nil) })
	}
	if err := v.verify(); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

// publicGoodRoot is the trusted root of the public instance as the module of sigstore-go brings it.
func publicGoodRoot(t *testing.T) []byte {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/sigstore/sigstore-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "examples", "trusted-root-public-good.json"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
