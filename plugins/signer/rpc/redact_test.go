package rpc

import (
	"strings"
	"testing"
)

func TestRedactor(t *testing.T) {
	pem := "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\nabc\n-----END PRIVATE KEY-----\n"
	r := newRedactor([]string{
		"VAULT_TOKEN=hvs.abc", "LONGER_TOKEN=hvs.abcdef", "VAULT_ADDR=https://vault.example.com", "PIN=12", "SIGNING_MATERIAL=" + pem, "EMPTY_PASSWORD=", "NOTHING",
	})
	tests := map[string]string{
		"token hvs.abc, hvs.abcdef":                  "token ***, ***",
		"dial https://vault.example.com: 12 times":   "dial https://vault.example.com: 12 times",
		"parse MIGHAgEAMBMGByqGSM49 abc":             "parse *** abc",
		"got " + strings.TrimSpace(pem) + " instead": "got *** instead",
		"\x1b[31mred\x1b[0m hvs.\x1b[1mabc":          "red ***",
		"-----BEGIN PRIVATE KEY----- is missing":     "-----BEGIN PRIVATE KEY----- is missing",
	}
	for in, want := range tests {
		if got := r.text(in); got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
	if got := (newRedactor(nil)).line(" a\n\tb "); got != "a b" {
		t.Errorf("without secrets: %q", got)
	}
	if got := cleanText(strings.Repeat("x", maxText+1)); len(got) != maxText+len("…") {
		t.Errorf("%d bytes were kept", len(got))
	}
}

func TestTail(t *testing.T) {
	var tl tail
	for i := range tailLines + 3 {
		_, _ = tl.Write([]byte(strings.Repeat("x", 2*maxTailLine) + "\n\n" + strings.Repeat("y", i)))
		_, _ = tl.Write([]byte("\n"))
	}
	_, _ = tl.Write([]byte("unfinished"))
	lines := tl.last()
	if len(lines) != tailLines || lines[tailLines-1] != "unfinished" || len(lines[0]) > maxTailLine {
		t.Errorf("kept %d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

func TestFirstLine(t *testing.T) {
	r := newRunner("/x", "", nil)
	got := make(chan string, 1)
	go func() {
		buffer := make([]byte, 100)
		n, _ := r.stdout.Read(buffer)
		got <- string(buffer[:n])
	}()
	for _, part := range []string{"1|1|un", "ix\nsec", "ond\n", strings.Repeat("more", 1<<20)} {
		if n, err := r.handshake.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatalf("write: %d, %v", n, err)
		}
	}
	if line := <-got; line != "1|1|unix\n" || r.handshake.String() != "1|1|unix" {
		t.Errorf("passed on %q, kept %q", line, r.handshake.String())
	}
}
