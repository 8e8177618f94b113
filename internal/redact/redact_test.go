package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"strings"
	"sync"
	"testing"
)

const key = `-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----
eyJrZGYiOnsibmFtZSI6InNjcnlwdCIsInBhcmFtcyI6eyJOIjo2NTUzNiwiciI6
OCwicCI6MX0sInNhbHQiOiJ4
short=
-----END ENCRYPTED SIGSTORE PRIVATE KEY-----
`

func TestString(t *testing.T) {
	secrets := []string{"hunter2!", "s3cr&t/pa ss+word", `quo"te\me`, "abcdef", "defghi", "abc", "   ", "trimmed-value\n", key}
	r := New(secrets)
	tests := []struct{ name, in, want string }{
		{"plain", "password hunter2! is wrong", "password *** is wrong"},
		{"nothing to hide", "podinfo: signed", "podinfo: signed"},
		{"twice", "hunter2! hunter2!", "*** ***"},
		{"touching", "hunter2!hunter2!", "***"},
		{"beginning and end", "hunter2!x", "***x"},
		{"only a beginning", "hunter2", "hunter2"},
		{"a beginning before the whole", "hunthunter2!", "hunt***"},
		{"overlapping secrets", "<abcdefghi>", "<***>"},
		{"too short to blank", "abc", "abc"},
		{"white space around it", "is trimmed-value here", "is *** here"},
		{"query escaped", url.QueryEscape("s3cr&t/pa ss+word"), "***"},
		{"path escaped", url.PathEscape("s3cr&t/pa ss+word"), "***"},
		{"as a URL password", (&url.URL{Scheme: "https", Host: "h", User: url.UserPassword("u", "s3cr&t/pa ss+word")}).String(), "https://u:***@h"},
		{"json", mustJSON(t, map[string]string{"p": "s3cr&t/pa ss+word"}), `{"p":"***"}`},
		{"json with quotes", mustJSON(t, []string{`quo"te\me`}), `["***"]`},
		{"go quoted", fmt.Sprintf("%q", `quo"te\me`), `"***"`},
		{"base64", base64.StdEncoding.EncodeToString([]byte("hunter2!")), "***"},
		{"base64, no padding", base64.RawStdEncoding.EncodeToString([]byte("hunter2!")) + " x", "*** x"},
		{"base64, for URLs", base64.URLEncoding.EncodeToString([]byte("s3cr&t/pa ss+word")), "***"},
		{"one line of a key", "bad line OCwicCI6MX0sInNhbHQiOiJ4 in file", "bad line *** in file"},
		{"whole key", "<" + key + ">", "<***>"},
		{"key in one line", strings.ReplaceAll(key, "\n", `\n`), "***"},
		{"armour is no secret", "want -----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----", "want -----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----"},
		{"short line of a key", "short=", "short="},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := r.String(tt.in); got != tt.want {
				t.Errorf("String(%q)\n got %q\nwant %q", tt.in, got, tt.want)
			}
		})
	}
}

// A Basic credential holds the password at any of three offsets.
func TestStringInsideBase64(t *testing.T) {
	const password = "correct horse battery"
	r := New([]string{password})
	for _, user := range []string{"", "a", "bo", "eve", "robot"} {
		for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
			got := r.String(enc.EncodeToString([]byte(user + ":" + password + "\n")))
			if !strings.Contains(got, Replacement) || len(got) > 20 {
				t.Errorf("user %q: %q still holds most of the password", user, got)
			}
		}
	}
}

func TestNilAndEmpty(t *testing.T) {
	var none *Redactor
	for _, r := range []*Redactor{none, New(nil), New([]string{"", "a", "\n"})} {
		if got := r.String("a text"); got != "a text" {
			t.Errorf("got %q", got)
		}
		var buf bytes.Buffer
		w := r.Writer(&buf)
		if _, err := io.WriteString(w, "a text"); err != nil {
			t.Fatal(err)
		}
		if buf.String() != "a text" {
			t.Errorf("got %q before Close", buf.String())
		}
	}
}

func TestWriterHoldsBackOnlyWhatItMust(t *testing.T) {
	var buf bytes.Buffer
	w := New([]string{"hunter2!"}).Writer(&buf)
	steps := []struct{ in, out string }{
		{"password: ", "password: "},
		{"hun", "password: "},
		{"ters\n", "password: hunters\n"},
		{"hunter2", "password: hunters\n"},
		{"!", "password: hunters\n***"},
		{"hunt", "password: hunters\n***"},
	}
	for _, s := range steps {
		n, err := io.WriteString(w, s.in)
		if err != nil || n != len(s.in) {
			t.Fatalf("write %q: %d, %v", s.in, n, err)
		}
		if buf.String() != s.out {
			t.Fatalf("after %q: got %q, want %q", s.in, buf.String(), s.out)
		}
	}
	for range 2 {
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if want := "password: hunters\n***hunt"; buf.String() != want {
		t.Errorf("after Close: got %q, want %q", buf.String(), want)
	}
	if _, err := io.WriteString(w, "x"); err == nil {
		t.Error("write after Close: no error")
	}
}

type brokenPipe struct{}

var errPipe = errors.New("broken pipe")

func (brokenPipe) Write([]byte) (int, error) { return 0, errPipe }

func TestWriterReportsErrors(t *testing.T) {
	w := New([]string{"hunter2!"}).Writer(brokenPipe{})
	if _, err := io.WriteString(w, "text"); !errors.Is(err, errPipe) {
		t.Errorf("got %v, want the writer's error", err)
	}
}

func TestWriterIsSafeForConcurrentUse(t *testing.T) {
	var buf bytes.Buffer
	w := New([]string{"hunter2!"}).Writer(&buf)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				if _, err := io.WriteString(w, "a hunter2! b\n"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat("a *** b\n", 400); buf.String() != want {
		t.Error("writes were mixed or not redacted")
	}
}

// However a stream is cut, it comes out as String makes it, and no secret is in it.
func FuzzWriterSplits(f *testing.F) {
	f.Add("the password is hunter2!\n", "hunter2!", "hunt", uint64(1))
	f.Add("aaaaaaaaab", "aaaa", "aaab", uint64(2))
	f.Add(key, key, "eyJr", uint64(3))
	f.Add("abcabcabdabcdabcabcabd", "abcabd", "bcabcabd", uint64(4))
	f.Fuzz(func(t *testing.T, text, one, two string, seed uint64) {
		if len(text)+len(one)+len(two) > 2000 {
			t.Skip("long inputs find nothing that short ones do not")
		}
		r := New([]string{one, two})
		text += one + text + two
		want := r.String(text)
		var buf bytes.Buffer
		w := r.Writer(&buf)
		random := rand.New(rand.NewPCG(seed, 0))
		for rest := text; rest != ""; {
			n := 1 + random.IntN(min(len(rest), 9))
			if _, err := io.WriteString(w, rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if buf.String() != want {
			t.Fatalf("cut: %q\nwhole: %q", buf.String(), want)
		}
		mustNotHold(t, want, one, two)
	})
}

// mustNotHold checks every piece between two replacements: a secret may only come about across one.
func mustNotHold(t *testing.T, text string, secrets ...string) {
	t.Helper()
	for piece := range strings.SplitSeq(text, Replacement) {
		for _, s := range secrets {
			s = strings.TrimSpace(s)
			if len(s) >= MinLength && !strings.Contains(Replacement, s) && strings.Contains(piece, s) {
				t.Fatalf("%q still holds %q", text, s)
			}
		}
	}
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func BenchmarkWriter(b *testing.B) {
	w := New([]string{key, "hunter2!", "s3cr&t/pa ss+word"}).Writer(io.Discard)
	line := []byte(strings.Repeat("podinfo: pushed ghcr.io/org/podinfo@sha256:0123456789abcdef\n", 64))
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		if _, err := w.Write(line); err != nil {
			b.Fatal(err)
		}
	}
}
