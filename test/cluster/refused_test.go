package cluster_test

import (
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/test/cluster"
	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/peers"
)

// refusal is what somebody who may write to the registry, but not sign, can do to an app, and why Flux refuses it.
type refusal struct {
	signed signing // version 1
	// bad brings version 2 into the registry and returns its digest.
	bad func(t *testing.T, f *fleet) string
	why string // in the condition
}

// The app runs in version 1. Then its tag moves to something bad behind artifactctl's back: Flux says why it refuses that,
// and keeps what runs, also when it applies anew. When the tag moves back all is well again.
func testRefused(t *testing.T, w *world) {
	for name, c := range refusals(t, w) {
		for _, r := range peers.Registries(t) {
			t.Run(name+"/"+r.Kind, func(t *testing.T) {
				t.Parallel()
				f := newFleet(t, w, r, name+"-"+r.Kind, c.signed, "web")
				f.must(t, "publish")
				f.follow(t)
				good := f.digest(t, "web", channel)
				f.runs(t, "web", good, "1")
				bad := c.bad(t, f)
				if bad == good {
					t.Fatal("the bad artifact is the good one")
				}
				f.move(t, "web", bad)
				o := f.look(t, "web")
				verified := o.Condition("SourceVerified")
				if !o.Is("Ready", "False") || verified.Status != "False" || verified.Reason != "VerificationError" || !strings.Contains(verified.Message, c.why) {
					t.Errorf("not refused for %q: %s", c.why, o)
				}
				if o.Revision() != good {
					t.Errorf("the last good revision is gone: %s", o)
				}
				if k, err := w.Reconcile(t.Context(), cluster.Kustomization(f.name, "web")); err != nil || k.Applied() != good {
					t.Errorf("applied anew: %s, %v", k, err)
				}
				f.has(t, "web", "1")
				f.move(t, "web", good)
				f.look(t, "web")
				f.runs(t, "web", good, "1")
			})
		}
	}
}

func refusals(t *testing.T, w *world) map[string]refusal {
	t.Helper()
	key, other := fixture.NewKey(t, "p256"), fixture.NewKey(t, "p256")
	owner, mallory := w.withIdentity(t, "ci@example.com", "subject: ci@example.com"), w.withIdentity(t, "mallory@example.com", "subject: mallory@example.com")
	legacy := withKey(key)
	legacy.format = "legacy"
	batch := withKey(key)
	batch.batch = true
	const (
		withKeys = "failed to verify the signature using provider 'cosign'"
		keyless  = "failed to verify the signature using provider 'cosign keyless'"
	)
	resigned := func(by signing) func(*testing.T, *fleet) string {
		return func(t *testing.T, f *fleet) string {
			t.Helper()
			return f.stage(t, by, "2")
		}
	}
	return map[string]refusal{
		"unsigned":         {withKey(key), unsigned, withKeys},
		"unsigned-keyless": {owner, unsigned, keyless},
		"wrong-key":        {withKey(key), resigned(withKey(other)), withKeys},
		"key-for-identity": {owner, resigned(withKey(other)), keyless},
		"wrong-identity":   {owner, resigned(mallory), keyless},
		"tampered":         {withKey(key), tampered, withKeys},
		"tampered-keyless": {owner, tampered, keyless},
		"moved-signature":  {withKey(key), movedSignature, withKeys},
		"moved-batch":      {batch, movedSignature, withKeys},
		"moved-attested":   {attested(withKey(key)), movedSignature, withKeys},
		"foreign-bundle": {legacy, func(t *testing.T, f *fleet) string {
			t.Helper()
			signed := f.stage(t, legacy, "2") // good as it is, by a legacy signature of the right key
			f.sign(t, withKey(other))
			f.must(t, "publish")
			if again := f.digest(t, "web", "next"); again != signed {
				t.Fatalf("signed again as %s, was %s", again, signed)
			}
			return signed
		}, withKeys},
	}
}

// stage publishes a version of app web on another branch, signed as given, and returns its digest. The channel stays where it is.
func (f *fleet) stage(t *testing.T, by signing, version string) string {
	t.Helper()
	f.git(t, "checkout", "--quiet", "-b", "stage")
	f.sign(t, by)
	f.change(t, "web", version)
	f.must(t, "publish")
	return f.digest(t, "web", "next")
}

// unsigned is version 2 without any signature: what is signed, with another annotation.
func unsigned(t *testing.T, f *fleet) string {
	t.Helper()
	return f.rewrite(t, f.digest(t, "web", channel))
}

// tampered is version 2, signed as it should be, with another annotation and the signature of what it was.
func tampered(t *testing.T, f *fleet) string {
	t.Helper()
	f.git(t, "checkout", "--quiet", "-b", "stage")
	f.change(t, "web", "2")
	f.must(t, "publish")
	signed := f.digest(t, "web", "next")
	forged := f.rewrite(t, signed)
	f.moveSignatures(t, signed, forged)
	return forged
}

// movedSignature is version 2 without a signature of its own, and with that of version 1.
func movedSignature(t *testing.T, f *fleet) string {
	t.Helper()
	forged := unsigned(t, f)
	f.moveSignatures(t, f.digest(t, "web", channel), forged)
	return forged
}
