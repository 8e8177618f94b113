package cosignkey

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"regexp"
	"strings"
)

const warnRepaired = "the line breaks of the key's PEM were damaged (they often are in CI variables); it was repaired, but store it with its line breaks or as a file"

var (
	begin     = regexp.MustCompile(`-----\s*BEGIN ([A-Z0-9 ]+?)\s*-----`)
	separator = regexp.MustCompile(`\s+|\\r|\\n|\\t`)
)

// firstBlock is the only PEM block in text of a wanted type, or the only block at all if none is wanted.
func firstBlock(text []byte, wanted func(kind string) bool) (*pem.Block, []string, error) {
	if len(text) > MaxSize {
		return nil, nil, refuse(fmt.Sprintf("%d bytes are too many for a key", len(text)), "is it the right file?")
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, nil, refuse("the key is empty", "is the variable set, the file written?")
	}
	blocks := decodeAll(text)
	var warnings []string
	if len(blocks) == 0 || len(blocks) < len(begin.FindAllIndex(text, -1)) {
		blocks, warnings = decodeAll(repair(text)), []string{warnRepaired}
	}
	if len(blocks) == 0 {
		return nil, nil, refuse("the key is not in PEM", notPEMHint(text))
	}
	found := blocks[0]
	count := 0
	for _, b := range blocks {
		if wanted(b.Type) {
			if count++; count == 1 {
				found = b
			}
		}
	}
	if count > 1 {
		return nil, nil, refuse("there is more than one key in the text", "keep each key in a file of its own")
	}
	return found, warnings, nil
}

func decodeAll(text []byte) []*pem.Block {
	var blocks []*pem.Block
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return blocks
		}
		blocks = append(blocks, block)
	}
}

// repair writes every block of text anew: whatever stands for white space between the markers (line breaks lost,
// doubled, escaped as \n, turned into blanks; quotes around it all) is no part of base64 and can only be dropped.
func repair(text []byte) []byte {
	var out bytes.Buffer
	for {
		at := begin.FindSubmatchIndex(text)
		if at == nil {
			return out.Bytes()
		}
		kind := string(text[at[2]:at[3]])
		body, rest, found := bytes.Cut(text[at[1]:], []byte("-----END "+kind+"-----"))
		if !found {
			return out.Bytes()
		}
		body = separator.ReplaceAll(body, nil)
		fmt.Fprintf(&out, "-----BEGIN %s-----\n", kind)
		for len(body) > 0 {
			n := min(64, len(body))
			out.Write(body[:n])
			out.WriteByte('\n')
			body = body[n:]
		}
		fmt.Fprintf(&out, "-----END %s-----\n", kind)
		text = rest
	}
}

func notPEMHint(text []byte) string {
	compact := separator.ReplaceAll(text, nil)
	if raw, err := base64.StdEncoding.DecodeString(string(compact)); err == nil && begin.Match(raw) {
		return "the key was encoded in base64 once more; decode it first"
	}
	if strings.Contains(string(text), "BEGIN ") {
		return "the key was cut off; is the whole of it in the variable or file?"
	}
	return "a key begins with -----BEGIN …; is it a path where the key itself is expected, or the key where a path is?"
}
