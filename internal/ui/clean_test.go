package ui

import (
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/artifactctl/artifactctl/internal/changes"
	"github.com/artifactctl/artifactctl/internal/engine"
)

func TestClean(t *testing.T) {
	tests := []struct{ in, want string }{
		{"plain text, ünïcode ✓ 漢字 😀", "plain text, ünïcode ✓ 漢字 😀"},
		{"two\n\tlines", "two\n\tlines"},
		{"dos\r\nline", "dos\r\nline"[:3] + "\nline"},
		{"over\rwrite", `over\x0dwrite`},
		{"\x1b[2J\x1b]0;title\x07", `\x1b[2J\x1b]0;title\x07`},
		{"c1 \u009b31m", `c1 \u009b31m`},
		{"raw \x9b31m", `raw \x9b31m`},
		{"bad \xff\xfe", `bad \xff\xfe`},
		{"replacement \ufffd", "replacement \ufffd"},
		{"abc\u202efdp.exe", `abc\u202efdp.exe`},
		{"zero\u200bwidth\ufeff", `zero\u200bwidth\ufeff`},
		{"tag \U000e0041", `tag \U000e0041`},
		{"sep\u2028arator", `sep\u2028arator`},
		{"del\x7f nul\x00", `del\x7f nul\x00`},
	}
	for _, tt := range tests {
		if got := Clean(tt.in); got != tt.want {
			t.Errorf("Clean(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestLines(t *testing.T) {
	if got, want := cleanLine("  a\nb\tc \n"), `a\nb c`; got != want {
		t.Errorf("cleanLine: got %q, want %q", got, want)
	}
	tests := []struct{ in, want string }{
		{"one", "one"}, {"one\n", "one"}, {"\n one \n\n", "one"}, {"one:\ntwo", "one …"}, {"a\x1bb\nc", `a\x1bb …`},
	}
	for _, tt := range tests {
		if got := firstLine(tt.in); got != tt.want {
			t.Errorf("firstLine(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestDefuse(t *testing.T) {
	tests := []struct{ in, want string }{
		{"no command\nhere", "no command\nhere"},
		{"a std::vector", "a std::vector"},
		{"::error::x", `\x3a:error::x`},
		{"ok\n \t\u00a0::add-mask::x\nok\n", "ok\n \t\u00a0" + `\x3a:add-mask::x` + "\nok\n"},
		{"x ##[add-path]y", `x #\x23[add-path]y`},
	}
	for _, tt := range tests {
		if got := defuse(tt.in); got != tt.want {
			t.Errorf("defuse(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestCut(t *testing.T) {
	tests := []struct {
		in   string
		n    int
		want string
	}{
		{"podinfo", 7, "podinfo"}, {"podinfo", 6, "podin…"}, {"podinfo", 1, "…"}, {"podinfo", 0, ""}, {"podinfo", -3, ""},
		{"漢字漢字", 8, "漢字漢字"}, {"漢字漢字", 7, "漢字漢…"}, {"漢字漢字", 6, "漢字…"}, {"é", 1, "é"},
	}
	for _, tt := range tests {
		if got := cut(tt.in, tt.n); got != tt.want {
			t.Errorf("cut(%q, %d) = %q, want %q", tt.in, tt.n, got, tt.want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("a\x1b[31m\r\n\u202e\xff", 5)
	f.Fuzz(func(t *testing.T, text string, n int) {
		clean := Clean(text)
		mustBeHarmless(t, clean)
		if again := Clean(clean); again != clean {
			t.Errorf("Clean is not idempotent: %q, %q", clean, again)
		}
		if line := cleanLine(text); strings.ContainsAny(line, "\n\t") {
			t.Errorf("cleanLine(%q) = %q", text, line)
		}
		if short := cut(clean, n); width(short) > max(n, 0) && short != clean {
			t.Errorf("cut(%q, %d) = %q, %d wide", clean, n, short, width(short))
		}
	})
}

// mustBeHarmless fails when text holds what could steer a terminal.
func mustBeHarmless(t *testing.T, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Fatalf("not UTF-8: %q", text)
	}
	for i, r := range text {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == 0x2028 || r == 0x2029) {
			t.Fatalf("%U at %d: %q", r, i, text[max(0, i-40):min(len(text), i+40)])
		}
	}
}

const hostile = "evil\x1b[2J\u009b1A\r\n::stop-commands::x\n\t::error::y\u202e\x00\xff`<b>|##[x]"

// fill puts the hostile text into every string that v reaches, so that a field added later is tested too.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(hostile)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	}
}

// hostileReport has the hostile text everywhere, and one app of every kind.
func hostileReport() *engine.Report {
	var r engine.Report
	fill(reflect.ValueOf(&r).Elem())
	r.Apps[0].Failure.Err = advice{denied(), hostile}
	template := r.Apps[1]
	template.Failure = nil
	for _, change := range []engine.Change{engine.New, engine.Changed, engine.Unchanged} {
		for _, status := range []engine.TagStatus{engine.TagMove, engine.TagMoved, engine.TagSuperseded, engine.TagHeld} {
			for _, op := range []changes.Op{changes.Added, changes.Removed, changes.Changed} {
				a := template
				a.Change, a.Pushed, a.Signed = change, change == engine.New, change != engine.Unchanged
				a.Tags = []engine.TagReport{{Name: hostile, From: hostile, Status: status}}
				a.Objects = []changes.Object{{Op: op, Kind: hostile, Namespace: hostile, Name: hostile, Diff: hostile}}
				r.Apps = append(r.Apps, a)
			}
		}
	}
	return &r
}

func TestNothingHostileGetsOut(t *testing.T) {
	env := map[string]string{"GITHUB_ACTIONS": "true"}
	for _, kind := range []Kind{KindPlan, KindPublish} {
		for _, format := range []Format{Text, JSON, YAML} {
			var s streams
			show(t, New(s.options(env)), kind, hostileReport(), Output{Format: format})
			mustBeHarmless(t, s.out.String())
			mustBeHarmless(t, s.err.String())
			mustNotCommand(t, s.out.String())
		}
		md := string(unhidden(kind, hostileReport(), SummaryLimit))
		mustBeHarmless(t, md)
	}
}

func TestNothingHostileGetsOutAsStatus(t *testing.T) {
	for _, mode := range []Mode{ModePlain, ModeJSON, ModeNone} {
		var s streams
		o := s.options(map[string]string{"GITHUB_ACTIONS": "true"})
		o.Mode, o.Verbose = mode, true
		u := New(o)
		for _, status := range []engine.Status{engine.Started, engine.Done, engine.Failed} {
			e := engine.Event{App: hostile, Stage: hostile, Status: status, Note: hostile, Total: 1}
			if status == engine.Failed {
				e.Err = advice{denied(), hostile}
			}
			u.Event(e)
		}
		if _, err := u.Log().Write([]byte(hostile)); err != nil {
			t.Fatal(err)
		}
		u.Close()
		mustBeHarmless(t, s.err.String())
		mustNotCommand(t, s.err.String())
	}
}

func mustNotCommand(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if strings.HasPrefix(strings.TrimSpace(line), "::") {
			t.Fatalf("a runner would obey %q", line)
		}
	}
}
