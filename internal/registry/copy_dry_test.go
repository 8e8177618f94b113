package registry

import (
	"testing"
)

// A dry copy writes nothing, and says how many manifests the copy after it writes; then there is none left.
func TestCopyDry(t *testing.T) {
	for source, newSource := range copyKinds {
		for target, newTarget := range copyKinds {
			t.Run(source+" to "+target, func(t *testing.T) {
				t.Parallel()
				from, to := newSource(t), newTarget(t)
				a := build(t, "a")
				adorn(t, from, a)
				subject, c := a.Manifest.Descriptor, NewCopier(from, to)
				n, sent, err := c.Dry().Copy(t.Context(), "app", "app", subject)
				if err != nil || n < 8 || sent == 0 {
					t.Fatalf("%d manifests, %d bytes, %v", n, sent, err)
				}
				if there, err := to.hasManifest(t.Context(), "app", subject); err != nil || there {
					t.Errorf("it is there: %v", err)
				}
				if tags, err := to.(port).Tags(t.Context(), "app"); err != nil || len(tags) > 0 {
					t.Errorf("tags %v, %v", tags, err)
				}
				if done, _, err := c.Copy(t.Context(), "app", "app", subject); err != nil || done != n {
					t.Errorf("%d manifests were written, and %d were said, %v", done, n, err)
				}
				if left, sent, err := c.Dry().Copy(t.Context(), "app", "app", subject); err != nil || left != 0 || sent != 0 {
					t.Errorf("%d manifests and %d bytes are left, %v", left, sent, err)
				}
			})
		}
	}
}
