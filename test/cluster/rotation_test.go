package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/artifactctl/artifactctl/test/cluster"
	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/peers"
)

// step is one of the steps of a rotation.
type step struct {
	what string
	// by signs and is trusted from here on.
	by signing
	// publish publishes, and change changes app web before that. With both, signer also of by signs first, without
	// moving tags.
	publish, change, both bool
	// follow gives the clusters the trust of by.
	follow bool
}

// A key, a key in a vault, an identity, and a key for an identity are exchanged step by step, as docs/supply-chain.md and
// the pages of the signers say. Flux verifies every source anew after each step, and no source is ever anything but ready.
// In the end what was trusted first is trusted no more.
func testRotation(t *testing.T, w *world) {
	for name, steps := range rotations(t, w) {
		for _, r := range peers.Registries(t) {
			t.Run(name+"/"+r.Kind, func(t *testing.T) {
				t.Parallel()
				rotate(t, w, r, "rotated-"+name+"-"+r.Kind, steps)
			})
		}
	}
}

// beside adds another signer to the one that is used.
func beside(used, also signing) signing {
	used.also = &also
	return used
}

func rotations(t *testing.T, w *world) map[string][]step {
	t.Helper()
	first, second := fixture.NewKey(t, "p256"), fixture.NewKey(t, "p256")
	const (
		before, after = "subject: old@example.com", "subject: new@example.com"
		either        = `subjectRegExp: '^(old@example\.com|new@example\.com)$'`
	)
	was, is := w.withIdentity(t, "old@example.com", before), w.withIdentity(t, "new@example.com", after)
	return map[string][]step{
		"key": {
			{what: "first", by: withKey(first), publish: true, follow: true},
			{what: "clusters trust both", by: withTrust(first, first, second), follow: true},
			{what: "the new key signs", by: withTrust(second, first, second), publish: true, change: true},
			{what: "the new key signs everything", by: withTrust(second, second), publish: true},
			{what: "clusters trust the new key", by: withTrust(second, second), follow: true},
		},
		"identity": {
			{what: "first", by: was, publish: true, follow: true},
			{what: "widened", by: w.withIdentity(t, "old@example.com", either), follow: true},
			{what: "the workflow moves", by: w.withIdentity(t, "new@example.com", either), publish: true, change: true},
			{what: "the new identity signs everything", by: is, publish: true},
			{what: "narrowed", by: is, follow: true},
		},
		"key-to-identity": {
			{what: "first", by: withKey(first), publish: true, follow: true},
			{what: "the identity signs, too", by: beside(is, withKey(first)), publish: true},
			{what: "both sign what changes", by: beside(is, withKey(first)), publish: true, change: true, both: true},
			{what: "clusters trust the identity", by: is, follow: true},
			{what: "the identity signs alone", by: is, publish: true, change: true},
		},
		"identity-to-key": {
			{what: "first", by: is, publish: true, follow: true},
			{what: "the key signs, too", by: beside(withKey(second), is), publish: true},
			{what: "both sign what changes", by: beside(withKey(second), is), publish: true, change: true, both: true},
			{what: "clusters trust the key", by: withKey(second), follow: true},
			{what: "the key signs alone", by: withKey(second), publish: true, change: true},
		},
	}
}

// testVaultRotation is the rotation of a key in Vault, which cannot be prepared: versions come into being on the way.
func testVaultRotation(t *testing.T, w *world) {
	for _, r := range peers.Registries(t) {
		t.Run(r.Kind, func(t *testing.T) {
			t.Parallel()
			key := "rotated-" + r.Kind
			w.vault.newKey(t, key)
			const pinned = ", keyVersion: 1"
			first := w.withVault(t, key, pinned, "1")
			w.vault.do(t, http.MethodPost, "keys/"+key+"/rotate", nil)
			rotate(t, w, r, "rotated-vault-"+r.Kind, []step{
				{what: "first", by: first, publish: true, follow: true},
				{what: "clusters trust both", by: w.withVault(t, key, pinned, "1", "2"), follow: true},
				{what: "the new version signs", by: w.withVault(t, key, "", "1", "2"), publish: true, change: true},
				{what: "the new version signs everything", by: w.withVault(t, key, "", "2"), publish: true},
				{what: "clusters trust the new version", by: w.withVault(t, key, "", "2"), follow: true},
			})
		})
	}
}

// rotate walks through the steps while somebody watches.
func rotate(t *testing.T, w *world, r *peers.Registry, name string, steps []step) {
	t.Helper()
	f := newFleet(t, w, r, name, steps[0].by, "web", "database")
	version, digest := 1, ""
	var seen *watcher
	for i, s := range steps {
		f.sign(t, s.by)
		if s.change {
			version++
			f.change(t, "web", fmt.Sprint(version))
		}
		if s.both {
			f.must(t, "publish", "--signer", "also", "--phase", "push")
		}
		if s.publish {
			f.must(t, "publish")
		}
		if s.follow {
			f.follow(t)
		}
		if i == 0 {
			digest = f.digest(t, "database", channel)
			f.runs(t, "database", digest, "1")
			f.runs(t, "web", f.digest(t, "web", channel), "1")
			seen = watch(t, f)
		}
		for _, app := range f.apps {
			f.look(t, app)
			f.verifyAnew(t, app, fmt.Sprintf("%ds", 100+i), s.what)
		}
		f.runs(t, "web", f.digest(t, "web", channel), fmt.Sprint(version))
		f.runs(t, "database", digest, "1")
	}
	seen.end(t, 2*len(steps))
	// Whoever signed first, and nobody else, signs once more: Flux believes that no longer.
	good := f.digest(t, "web", channel)
	f.move(t, "web", f.stage(t, steps[0].by, "forged"))
	if o := f.look(t, "web"); !o.Is("SourceVerified", "False") || o.Revision() != good {
		t.Errorf("what was trusted first still is: %s", o)
	}
}

// verifyAnew has Flux verify what a source has by now once more, for Flux does that only when something has changed.
func (f *fleet) verifyAnew(t *testing.T, app, timeout, when string) {
	t.Helper()
	ref := cluster.Source(f.name, app)
	if _, err := f.world.Patch(t.Context(), ref, map[string]any{"spec": map[string]any{"timeout": timeout}}); err != nil {
		t.Fatal(err)
	}
	o, err := f.world.Settle(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	if verified := o.Condition("SourceVerified"); verified.Status != "True" || verified.ObservedGeneration != o.Metadata.Generation {
		t.Errorf("%s: not verified: %s", when, o)
	}
}

// watcher sees every state of a fleet's sources.
type watcher struct {
	cancel context.CancelFunc
	done   chan struct{}
	err    error
	states int
	bad    []cluster.Object
}

func watch(t *testing.T, f *fleet) *watcher {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &watcher{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		w.err = f.world.Watch(ctx, cluster.Source(f.name, ""), func(o cluster.Object) bool {
			w.states++
			if o.Is("Ready", "False") || !o.Is("SourceVerified", "True") { // unknown: it is fetching
				w.bad = append(w.bad, o)
			}
			return false
		})
	}()
	return w
}

// end ends the watch, which has to have seen at least so many states, all of them good.
func (w *watcher) end(t *testing.T, least int) {
	t.Helper()
	w.cancel()
	<-w.done
	if !errors.Is(w.err, context.Canceled) {
		t.Errorf("the watch ended before the rotation: %v", w.err)
	}
	if w.states < least {
		t.Errorf("the watch saw %d states, want at least %d", w.states, least)
	}
	for _, o := range w.bad {
		t.Errorf("during the rotation: %s", o)
	}
}
