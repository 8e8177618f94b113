package matrix

import (
	"context"
	"crypto"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// work is a case while it is prepared.
type work struct {
	shelf
	content  string
	subject  v1.Descriptor // what Tag is to name
	kept     [][]byte      // bundles that were made and not yet attached
	old      []old         // signatures of the older format so far
	untagged bool
}

// step does one thing to the artifact of a case.
type step func(ctx context.Context, w *work) error

// push makes an artifact with the content of the case the subject.
func (w *work) push(ctx context.Context) (err error) {
	w.subject, err = w.artifact(ctx, w.content, map[string]string{
		"org.opencontainers.image.source": "https://git.example.com/org/fleet", "org.opencontainers.image.revision": "main@sha1:0123456789012345678901234567890123456789",
	})
	return err
}

// signed attaches a good signature by k.
func signed(k key) step { return attached(k, crypto.SHA256, signPredicate) }

// hashed attaches a signature over another hash than SHA-256.
func hashed(k key, hash crypto.Hash) step { return attached(k, hash, signPredicate) }

// attested attaches a statement of another kind about the subject.
func attested(k key, predicate string) step { return attached(k, crypto.SHA256, predicate) }

func attached(k key, hash crypto.Hash, predicate string) step {
	return func(ctx context.Context, w *work) error {
		b, err := k.bundle(statement(predicate, w.subject.Digest), hash)
		if err != nil {
			return err
		}
		return w.bundle(ctx, w.subject, b)
	}
}

// batch attaches one signature over so many other artifacts and, if it covers it, over the subject.
func batch(k key, others int, covers bool) step {
	return func(ctx context.Context, w *work) error {
		var subjects []v1.Hash
		for i := range others {
			subjects = append(subjects, describe("", fmt.Appendf(nil, "other %d", i)).Digest)
		}
		if covers {
			subjects = append(subjects, w.subject.Digest)
		}
		b, err := k.bundle(statement(signPredicate, subjects...), crypto.SHA256)
		if err != nil {
			return err
		}
		return w.bundle(ctx, w.subject, b)
	}
}

// keep signs the subject and keeps the signature for later.
func keep(k key) step {
	return func(_ context.Context, w *work) error {
		b, err := k.bundle(statement(signPredicate, w.subject.Digest), crypto.SHA256)
		w.kept = append(w.kept, b)
		return err
	}
}

// attachKept attaches what was kept, changed by each edit, to what is the subject now.
func attachKept(edits ...func(w *work, bundle string) string) step {
	return func(ctx context.Context, w *work) error {
		for _, b := range w.kept {
			text := string(b)
			for _, e := range edits {
				text = e(w, text)
			}
			if text == string(b) && len(edits) > 0 {
				return fmt.Errorf("nothing was changed in %s", b)
			}
			if err := w.bundle(ctx, w.subject, []byte(text)); err != nil {
				return err
			}
		}
		return nil
	}
}

// replace is an edit of a bundle's text.
func replace(from, to string) func(*work, string) string {
	return func(_ *work, bundle string) string { return strings.Replace(bundle, from, to, 1) }
}

// field is an edit of a bundle's value; path leads there through objects, and through lists by their first element.
func field(change func(w *work, old any) any, path ...string) func(*work, string) string {
	return func(w *work, bundle string) string {
		var root map[string]any
		if json.Unmarshal([]byte(bundle), &root) != nil {
			return bundle
		}
		at := root
		for _, p := range path[:len(path)-1] {
			switch next := at[p].(type) {
			case map[string]any:
				at = next
			case []any:
				at, _ = next[0].(map[string]any)
			}
		}
		last := path[len(path)-1]
		if at[last] = change(w, at[last]); at[last] == nil {
			delete(at, last)
		}
		text, _ := json.Marshal(root) // it was JSON
		return string(text)
	}
}

// legacy adds a signature of the older format.
func legacy(k key) step {
	return func(ctx context.Context, w *work) error { return w.addLegacy(ctx, k, w.subject.Digest, nil) }
}

// legacyOf adds a signature of the older format over another artifact.
func legacyOf(k key, other string) step {
	return func(ctx context.Context, w *work) error {
		return w.addLegacy(ctx, k, describe("", []byte(other)).Digest, nil)
	}
}

// legacyEdited adds a signature of the older format whose payload was changed after it was signed.
func legacyEdited(k key, from, to string) step {
	return func(ctx context.Context, w *work) error {
		return w.addLegacy(ctx, k, w.subject.Digest, func(o *old) { o.payload = []byte(strings.Replace(string(o.payload), from, to, 1)) })
	}
}

func (w *work) addLegacy(ctx context.Context, k key, subject v1.Hash, edit func(*old)) error {
	o, err := k.legacy(w.repo.Name(), subject)
	if err != nil {
		return err
	}
	if edit != nil {
		edit(&o)
	}
	w.old = append(w.old, o)
	return w.legacy(ctx, w.subject, w.old...)
}

// changed puts another artifact in the place of the subject: other files, or only another annotation.
func changed(files bool) step {
	return func(ctx context.Context, w *work) error {
		annotations := map[string]string{"org.opencontainers.image.revision": "main@sha1:ffffffffffffffffffffffffffffffffffffffff"}
		if files {
			w.content += ", changed"
		}
		var err error
		w.subject, err = w.artifact(ctx, w.content, annotations)
		return err
	}
}

// stored attaches a bundle that is no bundle, or a referrer of another kind.
func stored(mediaType types.MediaType, content string, edit func(*manifest)) step {
	return func(ctx context.Context, w *work) error {
		layer, err := w.blob(ctx, mediaType, []byte(content))
		if err == nil {
			_, err = w.referrer(ctx, w.subject, edit, layer)
		}
		return err
	}
}

// signedAs attaches a good signature by k in a manifest that edit changes.
func signedAs(k key, edit func(*manifest)) step {
	return func(ctx context.Context, w *work) error {
		b, err := k.bundle(statement(signPredicate, w.subject.Digest), crypto.SHA256)
		if err != nil {
			return err
		}
		return stored(bundleType, string(b), edit)(ctx, w)
	}
}

// listed replaces the list of referrers, where the registry does not keep it itself.
func listed(edit func(entries []v1.Descriptor) []v1.Descriptor) step {
	return func(ctx context.Context, w *work) error {
		index, err := w.list(ctx)
		if err != nil {
			return err
		}
		index.Manifests = edit(index.Manifests)
		text, err := json.Marshal(index)
		if err != nil {
			return err
		}
		return w.name(ctx, fallbackTag(w.subject), raw{text, types.OCIImageIndex})
	}
}

// none ends a case without its tag.
func none(_ context.Context, w *work) error {
	w.untagged = true
	return nil
}

// messageSigned attaches a bundle with a signature over the manifest itself.
func messageSigned(k key) step {
	return func(ctx context.Context, w *work) error {
		found, err := w.manifest(ctx)
		if err != nil {
			return err
		}
		b, err := k.message(found)
		if err != nil {
			return err
		}
		return w.bundle(ctx, w.subject, b)
	}
}

// hintOf is an edit that makes a bundle say that it is by k.
func hintOf(k key) func(*work, string) string {
	return field(func(_ *work, old any) any {
		hint, err := signer.KeyHint(k.Public())
		if err != nil {
			return old
		}
		return hint
	}, "verificationMaterial", "publicKey", "hint")
}

// onlyListed puts a good signature into the list that clients keep, and only there: its manifest names another subject.
func onlyListed(k key) step {
	return func(ctx context.Context, w *work) error {
		b, err := k.bundle(statement(signPredicate, w.subject.Digest), crypto.SHA256)
		if err != nil {
			return err
		}
		layer, err := w.blob(ctx, bundleType, b)
		if err != nil {
			return err
		}
		d, err := w.referrer(ctx, w.subject, func(m *manifest) { m.Subject = nil }, layer)
		if err != nil {
			return err
		}
		return listed(func([]v1.Descriptor) []v1.Descriptor { return []v1.Descriptor{d} })(ctx, w)
	}
}

// signedInVain attaches a signature by k and deletes it, which leaves it in a list that clients keep.
func signedInVain(k key) step {
	return func(ctx context.Context, w *work) error {
		before, err := w.list(ctx)
		if err == nil {
			err = signed(k)(ctx, w)
		}
		if err != nil {
			return err
		}
		after, err := w.list(ctx)
		for _, d := range after.Manifests {
			if err == nil && !slices.ContainsFunc(before.Manifests, func(b v1.Descriptor) bool { return b.Digest == d.Digest }) {
				err = remote.Delete(w.repo.Digest(d.Digest.String()), remote.WithContext(ctx))
			}
		}
		return err
	}
}

// listIsManifest has the tag of the list name the artifact's own kind of manifest.
func listIsManifest(ctx context.Context, w *work) error {
	other, err := w.artifact(ctx, "in the way", nil)
	if err != nil {
		return err
	}
	return w.tag(ctx, other, fallbackTag(w.subject))
}
