package e2e_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"path/filepath"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/attest"
	"github.com/artifactctl/artifactctl/internal/registry"
	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/peers"
)

// reproduction is what `verify --reproduce` says.
type reproduction struct {
	Signed, Refused int
	Apps            []struct {
		App, State string
		Reproduced bool
		Reasons    []string
	}
}

func (r reproduction) state(app string) string {
	for _, a := range r.Apps {
		if a.App == app {
			return a.State
		}
	}
	return "nothing"
}

// reproduce runs `artifactctl verify --reproduce`, and checks that the exit code says the same as the document.
func reproduce(t *testing.T, fleet *fixture.Fleet, args ...string) reproduction {
	t.Helper()
	args = append([]string{"verify", "--reproduce", "-o", "json"}, args...)
	got := finish(t, command(t.Context(), t, fleet, "unused", nil, args...))
	var r reproduction
	if err := json.Unmarshal([]byte(got.stdout), &r); err != nil {
		t.Fatalf("%s exits with %d\n%s%s", args, got.code, got.stdout, got.stderr)
	}
	if (got.code == 0) != (r.Refused == 0) {
		t.Errorf("exit code %d, and %d apps are refused", got.code, r.Refused)
	}
	return r
}

func checkReproduced(t *testing.T, r reproduction, apps int) {
	t.Helper()
	for _, a := range r.Apps {
		if a.State != "signed" || !a.Reproduced {
			t.Errorf("%s is %s, reproduced: %t: %v", a.App, a.State, a.Reproduced, a.Reasons)
		}
	}
	if len(r.Apps) != apps {
		t.Errorf("%d apps, want %d", len(r.Apps), apps)
	}
}

// examples publishes the project's examples and returns the arguments that lead to their registry.
func examples(t *testing.T, r *peers.Registry, args ...string) (*fixture.Fleet, []string) {
	t.Helper()
	fleet := fixture.NewExamples(t, filepath.Join(peers.ModuleDir(t), "..", "examples"), fixture.NewKey(t, "p256"))
	args = append([]string{"--registry", url(r)}, args...)
	publishExamples(t, fleet, args...)
	return fleet, args
}

func publishExamples(t *testing.T, fleet *fixture.Fleet, args ...string) {
	t.Helper()
	got := finish(t, command(t.Context(), t, fleet, "unused", []string{"COSIGN_KEY=" + string(fleet.Key.Private)}, append([]string{"publish"}, args...)...))
	if got.code != 0 {
		t.Fatalf("publish exits with %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}

// Every example is what its commit renders to: on both kinds of registry, in every environment, after a later commit, from
// a clone that never saw the published tree, and asked for by reference.
func TestExamplesAreReproduced(t *testing.T) {
	for kind, environment := range map[string][]string{peers.DistributionKind: nil, peers.ReferrersKind: {"--env", "production"}} {
		t.Run(kind, func(t *testing.T) {
			r := registryOf(t, kind)
			fleet, args := examples(t, r, environment...)
			checkReproduced(t, reproduce(t, fleet, args...), len(fleet.Repositories))
			if err := fleet.Write("apps/settings/settings.properties", "changed=later\n"); err != nil {
				t.Fatal(err)
			}
			if err := fleet.Commit(t.Context(), "later"); err != nil {
				t.Fatal(err)
			}
			clone, err := fleet.Clone(t.Context(), filepath.Join(t.TempDir(), "clone"))
			if err != nil {
				t.Fatal(err)
			}
			checkReproduced(t, reproduce(t, clone, args...), len(fleet.Repositories))
			for _, repository := range fleet.Repositories {
				args = append(args, "oci://"+r.Host+"/org/"+repository+":edge")
			}
			checkReproduced(t, reproduce(t, clone, args...), len(fleet.Repositories))
		})
	}
}

// Bytes that somebody changed are found out though whoever did it can sign, and even if the files look the same to
// kustomize; without a signature that is trusted they are not even looked at.
func TestChangedBytesAreNotReproduced(t *testing.T) {
	for name, change := range map[string]func(string) string{
		"another value": func(s string) string { return strings.Replace(s, "replicas: ", "replicas: 9", 1) },
		"a comment":     func(s string) string { return s + "# nothing\n" },
	} {
		for _, kind := range []string{peers.DistributionKind, peers.ReferrersKind} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				r := registryOf(t, kind)
				fleet, args := examples(t, r)
				store, err := registry.NewRemote(registry.RemoteOptions{Host: r.Direct, Prefix: "org"})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(store.Close)
				forged := forge(t, store, "apps/podinfo", change)
				if got := reproduce(t, fleet, args...); got.state("podinfo") != "unsigned" || got.Signed != 3 {
					t.Errorf("unsigned bytes: %+v", got)
				}
				attachGood(t, fleet, store, "apps/podinfo", forged)
				if got := finish(t, command(t.Context(), t, fleet, "unused", nil, append([]string{"verify"}, args...)...)); got.code != 0 {
					t.Errorf("the forged signature is not good: %s", got.stdout)
				}
				got := reproduce(t, fleet, args...)
				if got.state("podinfo") != "differs" || got.Signed != 3 || got.Refused != 1 {
					t.Errorf("changed bytes: %+v", got)
				}
			})
		}
	}
}

// What was published from a tree that no commit holds is signed, and cannot be reproduced.
func TestDirtyTreeIsNotReproduced(t *testing.T) {
	r := peers.WithReferrers(t)
	fleet, args := examples(t, r)
	if err := fleet.Write("apps/settings/settings.properties", "changed=1\n"); err != nil {
		t.Fatal(err)
	}
	publishExamples(t, fleet, append(args, "--allow-dirty")...)
	got := reproduce(t, fleet, args...)
	if got.state("settings") != "differs" || got.Signed != 3 {
		t.Errorf("published from a dirty tree: %+v", got)
	}
	if err := fleet.Commit(t.Context(), "what was published"); err != nil {
		t.Fatal(err)
	}
	if got := reproduce(t, fleet, args...); got.state("settings") != "differs" {
		t.Errorf("a commit that came later excuses it: %+v", got)
	}
}

// forge moves tag edge to an artifact with a changed file, whose manifest says all that the old one says, and returns its
// descriptor.
func forge(t *testing.T, store *registry.Remote, repository string, change func(string) string) artifact.Descriptor {
	t.Helper()
	old, err := store.Resolve(t.Context(), repository, "edge")
	if err != nil {
		t.Fatal(err)
	}
	layer, err := store.Fetch(t.Context(), repository, old.Layers[0])
	if err != nil {
		t.Fatal(err)
	}
	files, err := artifact.Unpack(layer)
	if err != nil {
		t.Fatal(err)
	}
	text := string(files["manifests.yaml"])
	if files["manifests.yaml"] = []byte(change(text)); string(files["manifests.yaml"]) == text {
		t.Fatalf("nothing was changed in\n%s", text)
	}
	says := old.Annotations
	forged, err := artifact.Build(files, artifact.Meta{
		Created: says[artifact.AnnotationCreated], Source: says[artifact.AnnotationSource], Revision: says[artifact.AnnotationRevision],
	})
	if err != nil {
		t.Fatal(err)
	}
	lie := strings.Replace(string(forged.Manifest.Bytes), artifact.ContentDigest(files), says[artifact.AnnotationContent], 1)
	if forged.Manifest, err = artifact.ParseManifest(artifact.ManifestMediaType, []byte(lie)); err != nil {
		t.Fatal(err)
	}
	if err := store.Push(t.Context(), repository, forged); err != nil {
		t.Fatal(err)
	}
	if err := store.Tag(t.Context(), repository, forged.Manifest, "edge"); err != nil {
		t.Fatal(err)
	}
	return forged.Manifest.Descriptor
}

// attachGood attaches a good signature by the fleet's key, an ECDSA key.
func attachGood(t *testing.T, fleet *fixture.Fleet, store *registry.Remote, repository string, subject artifact.Descriptor) {
	t.Helper()
	block, _ := pem.Decode(fleet.Key.Private)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	private := key.(*ecdsa.PrivateKey)
	request, err := attest.Request(artifact.FormatBundle, repository, subject.Digest.String())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(signer.PAE(request.PayloadType, request.Payload))
	value, err := ecdsa.SignASN1(rand.Reader, private, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	bundle, err := signer.KeyBundle(request, private.Public(), value)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Attach(t.Context(), repository, subject, artifact.Signature{Format: artifact.FormatBundle, Content: bundle.Content, PredicateType: attest.PredicateType}); err != nil {
		t.Fatal(err)
	}
}
