package ui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/internal/engine"
)

// events are a run of three apps: one is published, one has nothing to do, one fails.
func events() []engine.Event {
	failure := &engine.StageError{App: "broken", Stage: engine.StageSign, Err: fmt.Errorf("sign %s: %w", digest("6"), denied())}
	stopped := &engine.StageError{App: "stopped", Stage: engine.StagePush, Err: fmt.Errorf("push: %w", context.Canceled)}
	list := []engine.Event{
		{App: "podinfo", Stage: engine.StageRender, Status: engine.Started},
		{App: "quiet", Stage: engine.StageRender, Status: engine.Started},
		{App: "quiet", Stage: engine.StageRender, Status: engine.Done},
		{App: "podinfo", Stage: engine.StageRender, Status: engine.Done},
		{App: "quiet", Stage: engine.StageCompare, Status: engine.Done, Note: "unchanged"},
		{App: "podinfo", Stage: engine.StageCompare, Status: engine.Done, Note: "changed"},
		{App: "podinfo", Stage: engine.StagePush, Status: engine.Done, Note: "ghcr.io/org/podinfo@" + digest("b"), Done: 1},
		{App: "podinfo", Stage: engine.StageSign, Status: engine.Done, Note: "bundle", Done: 1},
		{App: "podinfo", Stage: engine.StageAttach, Status: engine.Done, Note: "bundle", Done: 1},
		{App: "podinfo", Stage: engine.StageCheck, Status: engine.Done, Note: "signed by sha256:0123", Done: 1},
		{App: "podinfo", Stage: engine.StageTag, Status: engine.Done, Note: "sha-ccccccc edge", Done: 1},
		{App: "broken", Stage: engine.StageSign, Status: engine.Started, Done: 2},
		{App: "broken", Stage: engine.StageSign, Status: engine.Failed, Err: failure, Done: 2},
		{App: "stopped", Stage: engine.StagePush, Status: engine.Failed, Err: stopped, Done: 3},
		{App: "odd", Stage: "new-stage", Status: engine.Failed, Done: 3},
	}
	for i := range list {
		list[i].Total = 5
	}
	return list
}

func TestStatus(t *testing.T) {
	tests := []struct {
		golden string
		change func(*Options)
	}{
		{"status-plain.txt", func(*Options) {}},
		{"status-plain-color.txt", func(o *Options) { o.Color = ColorAlways }},
		{"status-verbose.txt", func(o *Options) { o.Verbose = true }},
		{"status-json.txt", func(o *Options) { o.Mode = ModeJSON }},
		{"status-none.txt", func(o *Options) { o.Mode = ModeNone }},
	}
	for _, tt := range tests {
		t.Run(tt.golden, func(t *testing.T) {
			var s streams
			o := s.options(nil)
			tt.change(&o)
			u := New(o)
			for _, e := range events() {
				u.Event(e)
			}
			if _, err := io.WriteString(u.Log(), "level=WARN msg=\"slow registry\"\nsecond line"); err != nil {
				t.Fatal(err)
			}
			u.Close()
			u.Close()
			golden(t, tt.golden, s.err.String())
			if s.out.Len() > 0 {
				t.Errorf("stdout has %q: status belongs to stderr", s.out.String())
			}
		})
	}
}

// A run that has nothing to say for long shows that it goes on.
func TestPlainHeartbeat(t *testing.T) {
	var s streams
	o := s.options(nil)
	o.Now = (&clock{now: time.Unix(0, 0), step: 4 * time.Second}).Now
	u := New(o)
	for i := range 7 {
		u.Event(engine.Event{App: "a", Stage: engine.StageRender, Status: engine.Done, Done: int64(i), Total: 9})
	}
	if got, want := s.err.String(), "… 2/9 apps\n… 5/9 apps\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestMode(t *testing.T) {
	tests := []struct {
		env      map[string]string
		terminal bool
		want     Mode
	}{
		{nil, true, ModeTTY},
		{nil, false, ModePlain},
		{map[string]string{"CI": "true"}, true, ModePlain},
		{map[string]string{"CI": "false"}, true, ModeTTY},
		{map[string]string{"CI": ""}, true, ModeTTY},
		{map[string]string{"GITHUB_ACTIONS": "true"}, true, ModePlain},
		{map[string]string{"TERM": "dumb"}, true, ModePlain},
	}
	for _, tt := range tests {
		var s streams
		o := s.options(tt.env)
		o.StderrTerminal = tt.terminal
		u := New(o)
		u.Close()
		if u.mode != tt.want {
			t.Errorf("%v, terminal %v: mode %s, want %s", tt.env, tt.terminal, u.mode, tt.want)
		}
	}
}

func TestColor(t *testing.T) {
	tests := []struct {
		choice   Color
		env      map[string]string
		terminal bool
		want     bool
	}{
		{ColorAuto, nil, true, true},
		{ColorAuto, nil, false, false},
		{ColorNever, map[string]string{"FORCE_COLOR": "1"}, true, false},
		{ColorAlways, map[string]string{"NO_COLOR": "1"}, false, true},
		{ColorAuto, map[string]string{"NO_COLOR": "0"}, true, false},
		{ColorAuto, map[string]string{"NO_COLOR": ""}, true, true},
		{ColorAuto, map[string]string{"FORCE_COLOR": "1"}, false, true},
		{ColorAuto, map[string]string{"CLICOLOR_FORCE": "1"}, false, true},
		{ColorAuto, map[string]string{"CLICOLOR_FORCE": "0"}, false, false},
		{ColorAuto, map[string]string{"FORCE_COLOR": "1", "NO_COLOR": "1"}, true, false},
		{ColorAuto, map[string]string{"CLICOLOR": "0"}, true, false},
		{ColorAuto, map[string]string{"TERM": "dumb"}, true, false},
	}
	for _, tt := range tests {
		env := environ(func(name string) (string, bool) { v, ok := tt.env[name]; return v, ok })
		if got := env.wantsColor(tt.choice, tt.terminal); got != tt.want {
			t.Errorf("%s, %v, terminal %v: got %v", tt.choice, tt.env, tt.terminal, got)
		}
	}
}

func TestNotATerminal(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	var b strings.Builder
	if IsTerminal(f) || IsTerminal(&b) {
		t.Error("a file and a buffer are no terminals")
	}
	for _, w := range []io.Writer{f, &b} {
		if columns, rows := SizeOf(w)(); columns != 0 || rows != 0 {
			t.Errorf("size %d by %d of what is no terminal", columns, rows)
		}
	}
}

func TestHints(t *testing.T) {
	many := errors.New("root")
	for i := range 20 {
		many = advice{many, fmt.Sprint("hint ", i)}
	}
	tests := []struct {
		name string
		err  error
		want []string
	}{
		{"none", errors.New("x"), nil},
		{"nil", nil, nil},
		{"wrapped", fmt.Errorf("a: %w", denied()), []string{"set COSIGN_PASSWORD"}},
		{"joined", errors.Join(denied(), errors.New("x"), fmt.Errorf("b: %w", advice{errors.New("y"), "try b"})),
			[]string{"set COSIGN_PASSWORD", "try b"}},
		{"two wrapped", fmt.Errorf("%w and %w", denied(), advice{errors.New("y"), "try b"}), []string{"set COSIGN_PASSWORD", "try b"}},
		{"the same twice", errors.Join(denied(), denied()), []string{"set COSIGN_PASSWORD"}},
		{"an empty one", advice{errors.New("x"), ""}, nil},
		{"outermost first, bounded", many, []string{"hint 19", "hint 18", "hint 17", "hint 16", "hint 15"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Hints(tt.err); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSeconds(t *testing.T) {
	tests := []struct {
		in   time.Duration
		want string
	}{
		{0, "0.0s"}, {420 * time.Millisecond, "0.4s"}, {59_940 * time.Millisecond, "59.9s"}, {59_990 * time.Millisecond, "1m00s"},
		{185 * time.Second, "3m05s"}, {2 * time.Hour, "120m00s"},
	}
	for _, tt := range tests {
		if got := seconds(tt.in); got != tt.want {
			t.Errorf("seconds(%s) = %q, want %q", tt.in, got, tt.want)
		}
	}
}
