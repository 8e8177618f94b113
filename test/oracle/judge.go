package oracle

import "testing"

// PublicKey is one half of a key, as a file and as its content in PEM.
type PublicKey struct {
	Path string
	PEM  []byte
}

// JudgeTagged asks cosign and Flux about what a tag of each repository ("host/path") names: both have to accept it by the
// right key, as a bundle and as a legacy signature, and to refuse it by the wrong one.
func JudgeTagged(t testing.TB, cosign *Cosign, repositories []string, tag string, right, wrong PublicKey) {
	t.Helper()
	for _, repository := range repositories {
		tags, err := Tags(t.Context(), repository)
		if err != nil || tags[tag] == "" {
			t.Fatalf("tags of %s are %v, %v", repository, tags, err)
		}
		ref := repository + "@" + tags[tag]
		if err := cosign.Verify(t.Context(), ref, right.Path); err != nil {
			t.Errorf("cosign refuses the right key: %v", err)
		}
		if err := cosign.Verify(t.Context(), ref, right.Path, "--new-bundle-format=false"); err != nil {
			t.Errorf("cosign refuses the legacy signature: %v", err)
		}
		if err := cosign.Verify(t.Context(), ref, wrong.Path); err == nil {
			t.Error("cosign accepts a wrong key")
		}
		if err := FluxVerify(t.Context(), ref, right.PEM); err != nil {
			t.Errorf("flux refuses the right key: %v", err)
		}
		if err := FluxVerify(t.Context(), ref, wrong.PEM); err == nil {
			t.Error("flux accepts a wrong key")
		}
	}
}
