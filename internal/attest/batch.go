package attest

import (
	"crypto/sha256"
	"slices"
	"sync"

	intoto "github.com/in-toto/attestation/go/v1"
)

// memo keeps what the batch signatures said that a policy verified: the same bytes lie beside each of up to MaxSubjects
// artifacts, and verifying them for each would take minutes for a large fleet. Only signatures that were found good are
// kept, by the sha256 of all their bytes. A nil memo keeps nothing. It is safe for concurrent use.
type memo struct {
	mu    sync.Mutex
	found map[[sha256.Size]byte]finding
}

// maxMemo bounds a memo: a batch of 1,000 subjects takes about 150 kB of memory.
const maxMemo = 64

func newMemo() *memo { return &memo{found: map[[sha256.Size]byte]finding{}} }

func (m *memo) find(sum [sha256.Size]byte) (finding, bool) {
	if m == nil {
		return finding{}, false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	f, ok := m.found[sum]
	return f, ok
}

func (m *memo) keep(sum [sha256.Size]byte, f finding) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.found) >= maxMemo {
		clear(m.found)
	}
	m.found[sum] = f
}

func (f finding) covers(digest string) bool {
	_, ok := slices.BinarySearch(f.batch.Subjects, digest)
	return ok
}

// subjectsOf lists the digests that a statement names, sorted. Subjects without a sha256 are no manifests.
func subjectsOf(s *intoto.Statement) []string {
	var digests []string
	for _, subject := range s.GetSubject() {
		if hex := subject.GetDigest()["sha256"]; hex != "" {
			digests = append(digests, "sha256:"+hex)
		}
	}
	slices.Sort(digests)
	return slices.Compact(digests)
}
