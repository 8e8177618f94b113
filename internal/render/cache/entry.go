package cache

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// Entry is one render of an app: what it depended on and what came out.
type Entry struct {
	Renderer [sha256.Size]byte // identity of the program that rendered, with what it was told; of no use to another one
	Inputs   []byte            // what it asked of the file system, as package inputs encodes it
	Warnings []string
	Cost     time.Duration     // that the render took
	Result   [sha256.Size]byte // digest of the output; Put fills it in

	rank int // among the entries of its app
}

func appendEntry(b []byte, e Entry) []byte {
	b = append(b, e.Renderer[:]...)
	b = append(b, e.Result[:]...)
	b = binary.AppendUvarint(b, uint64(max(0, e.Cost)))
	b = binary.AppendUvarint(b, uint64(len(e.Warnings)))
	for _, w := range e.Warnings {
		b = appendBytes(b, w)
	}
	return appendBytes(b, e.Inputs)
}

func appendBytes[T string | []byte](b []byte, data T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(data))), data...)
}

// cutEntry reads the first entry of b and returns what follows it.
func cutEntry(b []byte) (e Entry, rest []byte, ok bool) {
	r := reader{rest: b}
	copy(e.Renderer[:], r.bytes(sha256.Size))
	copy(e.Result[:], r.bytes(sha256.Size))
	e.Cost = time.Duration(r.number())
	for n := r.number(); n > 0 && !r.failed; n-- {
		e.Warnings = append(e.Warnings, string(r.bytes(r.number())))
	}
	e.Inputs = r.bytes(r.number())
	return e, r.rest, !r.failed
}

// reader reads an index file. After the first failure all it returns is empty.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.failed, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.failed, r.rest = true, nil
		return nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}
