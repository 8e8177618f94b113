// Package inputs knows what a render has asked of the file system, and whether it would get the same answers again. A
// render is a function of these answers: as long as all of them stand, the next question is the same, too, and so is
// the output.
//
// Paths are relative to the root that a render may read, so that a record made in one checkout is of use in another. The
// package does not render, and it stores nothing.
package inputs

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io/fs"
	"syscall"
)

// Kind is the answer to the question what is at a path, links followed.
type Kind uint8

// The kinds. Nothing is three of them, because they are three errors, and a render sees errors.
const (
	Unknown      Kind = iota // an answer that nobody can rely on: outside of the root, no permission, a loop of links
	Directory                // a directory
	File                     // anything else that exists
	Absent                   // nothing, or a link to nothing
	NotDirectory             // nothing, because a parent is a file
	TooLong                  // nothing, because no file can have this name; kustomize tries inline YAML as a path
)

// KindOf returns the kind of a question that was answered with an error.
func KindOf(err error) Kind {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Absent
	case errors.Is(err, syscall.ENOTDIR):
		return NotDirectory
	case errors.Is(err, syscall.ENAMETOOLONG):
		return TooLong
	}
	return Unknown
}

// Sum is the SHA-256 digest of a file's content.
type Sum = [sha256.Size]byte

// Input is a question with its answer.
type Input struct {
	Path   string // relative to the root, clean, slash-separated; "." is the root
	Kind   Kind
	Target string // what Path resolves to, which is Path itself where no link is on the way; empty when nothing is there
	Read   bool   // the content was asked for, too
	Sum    Sum    // of the content, if it was
}

// Bits that stand beside the kind.
const (
	bitElsewhere = 0x40 // Target is not Path
	bitRead      = 0x80
	kindMask     = 0x3f
)

// Encode returns the record in the form that Decode reads.
func Encode(record []Input) []byte {
	var b []byte
	for _, in := range record {
		head := byte(in.Kind)
		elsewhere := in.Target != "" && in.Target != in.Path
		if elsewhere {
			head |= bitElsewhere
		}
		if in.Read {
			head |= bitRead
		}
		b = appendText(append(b, head), in.Path)
		if elsewhere {
			b = appendText(b, in.Target)
		}
		if in.Read {
			b = append(b, in.Sum[:]...)
		}
	}
	return b
}

func appendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

var errMalformed = errors.New("malformed record of inputs")

// Decode reads what Encode has written. The strings share one copy of data.
func Decode(data []byte) ([]Input, error) {
	rest := string(data)
	record := make([]Input, 0, len(data)/48)
	for rest != "" {
		head := rest[0]
		in := Input{Kind: Kind(head & kindMask), Read: head&bitRead != 0}
		var ok bool
		if in.Path, rest, ok = cutText(rest[1:]); !ok {
			return nil, errMalformed
		}
		switch {
		case head&bitElsewhere != 0:
			if in.Target, rest, ok = cutText(rest); !ok {
				return nil, errMalformed
			}
		case in.Kind == Directory || in.Kind == File:
			in.Target = in.Path
		}
		if in.Read {
			if len(rest) < len(in.Sum) {
				return nil, errMalformed
			}
			copy(in.Sum[:], rest)
			rest = rest[len(in.Sum):]
		}
		record = append(record, in)
	}
	return record, nil
}

func cutText(from string) (text, rest string, ok bool) {
	head := from[:min(len(from), binary.MaxVarintLen64)]
	size, n := binary.Uvarint([]byte(head))
	if n <= 0 || size > uint64(len(from)-n) {
		return "", "", false
	}
	end := n + int(size)
	return from[n:end], from[end:], true
}
