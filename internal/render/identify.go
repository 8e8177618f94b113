package render

import (
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"fmt"
	"io"
	"os"
)

// buildNote is the section in which the Go linker notes the build ID. It has a hash of the executable's content.
const buildNote = ".note.go.buildid"

// identify returns what tells an executable from others: its build ID, or the digest of all of it where there is none
// (another format than ELF, or a linker that was told to leave it out). Any change of the code gives another one, while
// the same release has the same on every machine.
func identify(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("identify render worker: %w", err)
	}
	defer func() { _ = f.Close() }()
	if program, err := elf.NewFile(f); err == nil {
		if section := program.Section(buildNote); section != nil {
			if note, err := section.Data(); err == nil && len(note) > 0 {
				return "go:" + string(note), nil
			}
		}
	}
	hash := sha256.New()
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", fmt.Errorf("identify render worker: %w", err)
	}
	if _, err := io.Copy(hash, f); err != nil {
		return "", fmt.Errorf("identify render worker: %w", err)
	}
	return "sha256:" + hex.EncodeToString(hash.Sum(nil)), nil
}
