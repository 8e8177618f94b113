package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
)

// minLine is the shortest line of a secret with several lines that is blanked by itself.
const minLine = 12

// minShifted is the shortest piece of base64 that is blanked when it is cut out of a longer encoding.
const minShifted = 8

// forms returns the texts to look for on behalf of one secret.
func forms(secret string) []string {
	values := []string{secret, strings.TrimSpace(secret)}
	if len(values[1]) < MinLength {
		return nil
	}
	values = append(values, lines(values[1])...)
	var all []string
	for _, v := range values {
		all = append(all, v)
		all = append(all, escaped(v)...)
		all = append(all, encoded(v)...)
	}
	return all
}

// lines returns those lines of a secret that give it away alone. Armour and short ends are no secret, and blanking
// "-----BEGIN PRIVATE KEY-----" would only make messages about keys unreadable.
func lines(s string) []string {
	s = strings.ReplaceAll(s, `\n`, "\n") // a PEM that went through a CI variable in one line
	if !strings.Contains(s, "\n") {
		return nil
	}
	var long []string
	for l := range strings.Lines(s) {
		l = strings.TrimSpace(l)
		if len(l) >= minLine && !strings.HasPrefix(l, "-----") {
			long = append(long, l)
		}
	}
	return long
}

// escaped returns s as it stands in URLs and in quoted strings.
func escaped(s string) []string {
	quoted := strconv.Quote(s)
	all := []string{
		url.QueryEscape(s),
		url.PathEscape(s),
		url.User(s).String(),
		quoted[1 : len(quoted)-1],
	}
	for _, html := range []bool{true, false} {
		var buf bytes.Buffer
		e := json.NewEncoder(&buf)
		e.SetEscapeHTML(html)
		if e.Encode(s) == nil {
			text := strings.TrimSpace(buf.String())
			all = append(all, text[1:len(text)-1])
		}
	}
	return all
}

// encoded returns s in base64: alone, and as it looks inside the encoding of a longer text ("user:" + s in a header),
// where it starts at one of three offsets and shares its first and last characters with its neighbours.
func encoded(s string) []string {
	var all []string
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		whole := enc.EncodeToString([]byte(s))
		all = append(all, whole, strings.TrimRight(whole, "="))
		for shift := range 3 {
			if piece := shifted(enc, s, shift); len(piece) >= minShifted {
				all = append(all, piece)
			}
		}
	}
	return all
}

// shifted returns the characters that depend on s alone when s follows shift unknown bytes.
func shifted(enc *base64.Encoding, s string, shift int) string {
	text := enc.WithPadding(base64.NoPadding).EncodeToString([]byte(strings.Repeat("\x00", shift) + s))
	first := (shift*8 + 5) / 6       // characters that hold a bit of what is before
	last := (shift + len(s)) * 8 / 6 // characters that hold bits of s only
	return text[min(first, last):last]
}
