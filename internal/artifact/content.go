package artifact

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/opencontainers/go-digest"
)

// ContentDigest is the digest of what a consumer gets: paths and bytes, without modes, times, order or compression.
// It is the sha256 of the lines that `sha256sum` prints for the files, sorted by path in byte order
// ("<hex>  <path>\n"), so anyone can compute it with coreutils.
func ContentDigest(files Files) string {
	h := sha256.New()
	for _, p := range slices.Sorted(maps.Keys(files)) {
		sum := sha256.Sum256(files[p])
		fmt.Fprintf(h, "%s  %s\n", hex.EncodeToString(sum[:]), p)
	}
	return digest.NewDigest(digest.SHA256, h).String()
}

// Equal reports whether two file sets have the same paths with the same bytes.
func Equal(a, b Files) bool {
	if len(a) != len(b) {
		return false
	}
	for p, content := range a {
		other, ok := b[p]
		if !ok || string(other) != string(content) {
			return false
		}
	}
	return true
}

// checkPath refuses what cannot be unpacked the same way everywhere.
func checkPath(p string) error {
	if !fs.ValidPath(p) || p == "." {
		return fmt.Errorf("file %q: not a clean relative path: %w", p, ErrFormat)
	}
	if strings.ContainsFunc(p, func(r rune) bool { return r == '\\' || unicode.IsControl(r) || r == unicode.ReplacementChar }) {
		return fmt.Errorf("file %q: backslashes, control characters and invalid UTF-8 are not portable: %w", p, ErrFormat)
	}
	return nil
}
