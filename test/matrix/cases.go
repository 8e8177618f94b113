package matrix

import (
	"crypto"
	"encoding/base64"
	"net/http"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/peers"
)

// keyCases are about whose key it is, and of which kind.
func keyCases(k *keys) []Case {
	right, foreign := k.right, k.foreign
	cases := []Case{
		{Name: "unsigned", Policy: trust(right), Want: Unsigned, Reason: "no signature", Cluster: true},
		{Name: "no-tag", Policy: trust(right), Want: Missing, steps: []step{signed(right), none}},
		{Name: "right-key", Policy: trust(right), Want: Signed, Cluster: true, steps: []step{signed(right)}},
		{Name: "wrong-key", Policy: trust(right), Want: Unsigned, Reason: "another key", Cluster: true, steps: []step{signed(foreign)}},
		{Name: "one-of-two-keys", Policy: trust(foreign, right), Want: Signed, Cluster: true, steps: []step{signed(right)}},
		{Name: "none-of-two-keys", Policy: trust(k.by["p384"], k.by["ed25519"]), Want: Unsigned, Reason: "another key", steps: []step{signed(right)}},
		{Name: "signed-twice", Policy: trust(right), Want: Signed, steps: []step{signed(right), signed(right)}},
		{Name: "p384-over-sha384", Policy: trust(k.by["p384"]), Want: Unsigned, Reason: "SHA-384", steps: []step{hashed(k.by["p384"], crypto.SHA384)}},
		{Name: "p521-over-sha512", Policy: trust(k.by["p521"]), Want: Unsigned, Reason: "SHA-512", steps: []step{hashed(k.by["p521"], crypto.SHA512)}},
		{Name: "ed25519ph", Policy: trust(k.by["ed25519"]), Want: Unsigned, Reason: "Ed25519ph", Cluster: true, steps: []step{hashed(k.by["ed25519"], crypto.SHA512)}},
	}
	for _, algorithm := range fixture.Algorithms() {
		cases = append(cases,
			Case{Name: "key-" + algorithm, Policy: trust(k.by[algorithm]), Want: Signed, Cluster: algorithm == "rsa3072" || algorithm == "ed25519", steps: []step{signed(k.by[algorithm])}},
			Case{Name: "legacy-key-" + algorithm, Policy: trust(k.by[algorithm]), Want: Signed, steps: []step{legacy(k.by[algorithm])}})
	}
	return cases
}

// formatCases are about what lies beside what.
func formatCases(k *keys) []Case {
	right, foreign := k.right, k.foreign
	return []Case{
		{Name: "legacy", Policy: trust(right), Want: Signed, Cluster: true, steps: []step{legacy(right)}},
		{Name: "legacy-wrong-key", Policy: trust(right), Want: Unsigned, Reason: "legacy", steps: []step{legacy(foreign)}},
		{Name: "legacy-foreign-and-good", Policy: trust(right), Want: Signed, steps: []step{legacy(foreign), legacy(right)}},
		{Name: "bundle-and-legacy", Policy: trust(right), Want: Signed, Cluster: true, steps: []step{signed(right), legacy(right)}},
		{Name: "bundle-and-foreign-legacy", Policy: trust(right), Want: Signed, steps: []step{signed(right), legacy(foreign)}},
		{Name: "foreign-bundle-hides-legacy", Policy: trust(right), Want: Unsigned, Reason: "hide", Cluster: true, steps: []step{signed(foreign), legacy(right)}},
		{Name: "foreign-attestation-hides-legacy", Policy: trust(right), Want: Unsigned, Reason: "hide", steps: []step{attested(foreign, provenancePredicate), legacy(right)}},
		{Name: "foreign-and-good-bundle", Policy: trust(right), Want: Signed, Cluster: true, steps: []step{signed(foreign), signed(right)}},
		{Name: "attestation-only", Policy: trust(right), Want: Signed, Cluster: true, steps: []step{attested(right, provenancePredicate)}},
		{Name: "foreign-attestation-only", Policy: trust(right), Want: Unsigned, Reason: "another key", steps: []step{attested(foreign, provenancePredicate)}},
		{Name: "attestation-and-signature", Policy: trust(right), Want: Signed, steps: []step{attested(right, provenancePredicate), signed(right)}},
		{Name: "foreign-attestation-and-signature", Policy: trust(right), Want: Signed, Cluster: true, steps: []step{attested(foreign, provenancePredicate), signed(right)}},
		{Name: "batch", Policy: trust(right), Want: Signed, Cluster: true, steps: []step{batch(right, 20, true)}},
		{Name: "batch-of-others", Policy: trust(right), Want: Unsigned, Reason: "20 other artifacts", steps: []step{batch(right, 20, false)}},
		{Name: "batch-too-large", Policy: trust(right), Want: Unsigned, Reason: "1,024", steps: []step{batch(right, 1024, true)}},
		{Name: "referrers-of-other-kinds", Policy: trust(right), Want: Signed, steps: []step{
			stored("application/spdx+json", "{}", asKind("application/spdx+json")), signed(right), stored("text/plain", "hello", asKind("text/plain"))}},
		{Name: "other-kind-and-legacy", Policy: trust(right), Want: Signed, steps: []step{stored("application/spdx+json", "{}", asKind("application/spdx+json")), legacy(right)}},
		{Name: "no-bundle-but-rubbish-and-legacy", Policy: trust(right), Want: Signed, steps: []step{stored(bundleType, `{"mediaType":"nothing"}`, nil), legacy(right)}},
		{Name: "old-bundle", Policy: trust(right), Want: Unsigned, Reason: "older than v0.3", steps: []step{keep(right), attachKept(replace("bundle.v0.3+json", "bundle+json;version=0.1"))}},
		{Name: "manifest-without-annotations", Policy: trust(right), Want: Signed, steps: []step{signedAs(right, func(m *manifest) { m.Annotations, m.ArtifactType = nil, "" })}},
		{Name: "manifest-of-another-type", Policy: trust(right), Want: Signed, steps: []step{signedAs(right, asKind("application/vnd.example.something"))}},
		{Name: "two-layers", Policy: trust(right), Want: Unsigned, Reason: "no signature", steps: []step{signedAs(right, func(m *manifest) { m.Layers = append(m.Layers, m.Layers[0]) })}},
	}
}

func asKind(artifactType string) func(*manifest) {
	return func(m *manifest) { m.ArtifactType, m.Annotations = artifactType, nil }
}

// forgedCases are about signatures and artifacts that somebody changed or moved.
func forgedCases(k *keys) []Case {
	right := k.right
	repoint := field(func(w *work, _ any) any {
		return base64.StdEncoding.EncodeToString(statement(signPredicate, w.subject.Digest))
	}, "dsseEnvelope", "payload")
	spoil := field(func(_ *work, old any) any {
		raw, _ := base64.StdEncoding.DecodeString(old.(string))
		raw[len(raw)-1] ^= 1
		return base64.StdEncoding.EncodeToString(raw)
	}, "dsseEnvelope", "signatures", "sig")
	unsign := field(func(*work, any) any { return []any{} }, "dsseEnvelope", "signatures")
	plain := field(func(*work, any) any { return "text/plain" }, "dsseEnvelope", "payloadType")
	return []Case{
		{Name: "manifest-changed", Policy: trust(right), Want: Unsigned, Reason: "no signature", Cluster: true, stray: true, steps: []step{signed(right), changed(false)}},
		{Name: "layer-changed", Policy: trust(right), Want: Unsigned, Reason: "no signature", stray: true, steps: []step{signed(right), changed(true)}},
		{Name: "signature-moved", Policy: trust(right), Want: Unsigned, Reason: "of another artifact", Cluster: true, stray: true, steps: []step{keep(right), changed(true), attachKept()}},
		{Name: "signature-moved-to-other-metadata", Policy: trust(right), Want: Unsigned, Reason: "of another artifact", stray: true, steps: []step{keep(right), changed(false), attachKept()}},
		{Name: "moved-and-good", Policy: trust(right), Want: Signed, stray: true, steps: []step{keep(right), changed(true), attachKept(), signed(right)}},
		{Name: "payload-changed", Policy: trust(right), Want: Unsigned, Reason: "changed", Cluster: true, stray: true, steps: []step{keep(right), changed(true), attachKept(repoint)}},
		{Name: "signature-bytes-changed", Policy: trust(right), Want: Unsigned, Reason: "changed", steps: []step{keep(right), attachKept(spoil)}},
		{Name: "bundle-without-signature", Policy: trust(right), Want: Unsigned, Reason: "signature", steps: []step{keep(right), attachKept(unsign)}},
		{Name: "payload-type-changed", Policy: trust(right), Want: Unsigned, Reason: "changed", steps: []step{keep(right), attachKept(plain)}},
		{Name: "message-signature", Policy: trust(right), Want: Unsigned, Reason: "DSSE", steps: []step{messageSigned(right)}},
		{Name: "hint-of-another-key", Policy: trust(right), Want: Signed, steps: []step{keep(right), attachKept(field(func(*work, any) any { return "nobody" }, "verificationMaterial", "publicKey", "hint"))}},
		{Name: "hint-of-the-right-key", Policy: trust(right), Want: Unsigned, Reason: "not valid", steps: []step{keep(k.foreign), attachKept(hintOf(right))}},
		{Name: "legacy-payload-changed", Policy: trust(right), Want: Unsigned, Reason: "legacy", steps: []step{legacyEdited(right, `"optional":null`, `"optional":{}`)}},
		{Name: "legacy-of-another", Policy: trust(right), Want: Unsigned, Reason: "names", steps: []step{legacyOf(right, "other")},
			Stricter: "a legacy signature says which artifact it is of, and artifactctl believes it"},
	}
}

// registryCases are about where signatures are listed, and registries that do not answer.
func registryCases(k *keys) []Case {
	right := k.right
	wrongType := func(entries []v1.Descriptor) []v1.Descriptor {
		for i := range entries {
			entries[i].ArtifactType, entries[i].Annotations = "application/vnd.example.something", map[string]string{"a": "b"}
		}
		return entries
	}
	wrongSize := func(entries []v1.Descriptor) []v1.Descriptor {
		for i := range entries {
			entries[i].MediaType = types.DockerManifestSchema2
		}
		return entries
	}
	empty := func([]v1.Descriptor) []v1.Descriptor { return []v1.Descriptor{} }
	return []Case{
		{Name: "fallback-list", Kind: peers.DistributionKind, Policy: trust(right), Want: Signed, Cluster: true, steps: []step{signed(right)}},
		{Name: "referrers-api", Kind: peers.ReferrersKind, Policy: trust(right), Want: Signed, Cluster: true, steps: []step{signed(right)}},
		{Name: "api-and-empty-list", Kind: peers.ReferrersKind, Policy: trust(right), Want: Signed, steps: []step{signed(right), listed(empty)}},
		{Name: "api-and-foreign-list", Kind: peers.ReferrersKind, Policy: trust(right), Want: Unsigned, Reason: "another key", steps: []step{signed(k.foreign), onlyListed(right)}},
		{Name: "list-lost-an-entry", Kind: peers.DistributionKind, Policy: trust(right), Want: Unsigned, Reason: "no signature", Cluster: true, stray: true, steps: []step{signed(right), listed(empty)}},
		{Name: "list-with-another-type", Kind: peers.DistributionKind, Policy: trust(right), Want: Signed, steps: []step{signed(right), listed(wrongType)}},
		{Name: "list-with-another-media-type", Kind: peers.DistributionKind, Policy: trust(right), Want: Signed, steps: []step{signed(right), listed(wrongSize)}},
		{Name: "list-with-what-is-gone", Kind: peers.DistributionKind, Policy: trust(right), Want: Signed, closed: true, steps: []step{signed(right), signedInVain(k.foreign)}},
		{Name: "list-is-no-list", Kind: peers.DistributionKind, Policy: trust(right), Want: Unknown, Reason: "image index", stray: true, steps: []step{signed(right), listIsManifest}},
		{Name: "throttled-once", Policy: trust(right), Want: Signed, steps: []step{signed(right)}, fault: &fault{"referrers", http.StatusTooManyRequests, 1}},
		{Name: "throttled", Policy: trust(right), Want: Unknown, Reason: "429", steps: []step{signed(right)}, fault: &fault{"referrers", http.StatusTooManyRequests, 0}},
		{Name: "throttled-with-legacy", Policy: trust(right), Want: Unknown, Reason: "429", steps: []step{signed(k.foreign), legacy(right)}, fault: &fault{"referrers", http.StatusTooManyRequests, 0},
			Stricter: "Flux looks at the legacy signature while the registry is throttled, and refuses it as soon as it sees the bundle"},
		{Name: "broken", Policy: trust(right), Want: Unknown, Reason: "500", steps: []step{signed(right)}, fault: &fault{"referrers", http.StatusInternalServerError, 0}},
		{Name: "denied", Policy: trust(right), Want: Unknown, Reason: "403", steps: []step{signed(right)}, fault: &fault{"referrers", http.StatusForbidden, 0}},
		{Name: "broken-signatures", Policy: trust(right), Want: Unknown, Reason: "503", steps: []step{legacy(right)}, fault: &fault{legacyTag, http.StatusServiceUnavailable, 0}},
		{Name: "broken-tag", Policy: trust(right), Want: Unknown, Reason: "500", steps: []step{signed(right)}, fault: &fault{"manifests/" + Tag, http.StatusInternalServerError, 0}},
	}
}
