package gate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/artifactctl/artifactctl/internal/finding"
)

var (
	errTimeout = errors.New("timeout")
	errFlood   = errors.New("flood")
	errMemory  = errors.New("memory")
)

// outputDelay is how long what a command left behind may hold its output open, where it cannot be killed.
const outputDelay = 2 * time.Second

// call is one run of a command.
type call struct {
	*Run
	args  []string // placeholders replaced
	env   []string
	stdin *os.File
}

// outcome is how a command ended by itself.
type outcome struct {
	status  int
	stdout  []byte // all of it, unless the format is Text
	words   string // standard error; with Text, of both streams as they came
	dropped int64  // bytes that words lacks
}

// environment returns the variables that the command lists, and ours, which win.
func (r *Run) environment(ours ...string) []string {
	env := []string{}
	if root, ok := os.LookupEnv("SystemRoot"); ok { // without it, no Windows process starts
		env = append(env, "SystemRoot="+root)
	}
	for _, name := range r.Env {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return append(env, ours...)
}

// do runs the command. An error says why there is no verdict; it is ctx's own when ctx is done.
func (c call) do(ctx context.Context) (outcome, error) {
	program, err := c.executable()
	if err != nil {
		return outcome{}, err
	}
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	inner, stop := context.WithTimeoutCause(inner, c.timeout(), errTimeout)
	defer stop()

	flood := func() { cancel(errFlood) }
	words := &capture{keep: MaxMessage, limit: MaxOutput, flood: flood}
	stdout := words
	if c.format() != Text {
		stdout = &capture{keep: MaxOutput, limit: MaxOutput, flood: flood}
	}
	cmd := exec.CommandContext(inner, program, c.args...)
	cmd.Args[0] = c.Command[0]
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Dir, c.env, c.stdin, stdout, words
	cmd.SysProcAttr, cmd.WaitDelay = attributes(), outputDelay
	var ended atomic.Bool // then its number may soon be somebody else's
	cmd.Cancel = func() error {
		if ended.Load() {
			return os.ErrProcessDone
		}
		return kill(cmd.Process)
	}
	if err := cmd.Start(); err != nil {
		return outcome{}, fmt.Errorf("start %s: %w", c.Command[0], reason(err))
	}
	if !limitMemory(cmd.Process, c.memory()) {
		cancel(errMemory)
	}
	ended.Store(settle(cmd.Process))
	err = cmd.Wait()
	if ctx.Err() != nil {
		return outcome{}, context.Cause(ctx)
	}
	result := outcome{status: cmd.ProcessState.ExitCode(), words: finding.Clean(string(words.bytes())), dropped: words.dropped()}
	if c.format() != Text {
		result.stdout = stdout.bytes()
	}
	return result, c.verdict(cmd.ProcessState, context.Cause(inner), err, result.words)
}

// verdict tells a command that ended by itself from one that did not.
func (c call) verdict(state *os.ProcessState, cause, waited error, words string) error {
	name := c.Command[0]
	var exit *exec.ExitError
	switch {
	case errors.Is(cause, errFlood):
		return &failed{what: fmt.Sprintf("%s printed more than %d MiB and was killed", name, MaxOutput>>20), words: lastLines(words)}
	case errors.Is(cause, errTimeout) && !state.Success():
		return &failed{what: fmt.Sprintf("%s did not end within %s and was killed", name, c.timeout()), words: lastLines(words),
			hint: "see why it hangs, or give the gate a longer timeout"}
	case errors.Is(cause, errMemory), outOfMemory.MatchString(words) && !state.Success():
		return &failed{what: fmt.Sprintf("%s ran out of memory (%s)", name, state), words: lastLines(words),
			hint: fmt.Sprintf("its processes may fill %d MiB each; give the gate more memory", c.memory()>>20)}
	case !state.Exited():
		return &failed{what: fmt.Sprintf("%s ended by %s", name, state), words: lastLines(words)}
	case state.ExitCode() == 2 && goCrash.MatchString(words):
		first := goCrash.FindStringIndex(words)[0]
		return &failed{what: fmt.Sprintf("%s crashed (%s)", name, state), words: firstLines(words[first:])}
	case state.ExitCode() == 126 || state.ExitCode() == 127:
		return &failed{what: fmt.Sprintf("%s ended with %s: there was no command to run", name, state), words: lastLines(words),
			hint: "a gate sees only the variables that its env lists, and PATH is none of them unless it is listed"}
	case waited != nil && !errors.As(waited, &exit):
		return &failed{what: fmt.Sprintf("%s: %v", name, waited), words: lastLines(words)}
	}
	return nil
}

// outOfMemory finds the last words of programs that could not get memory.
var outOfMemory = regexp.MustCompile(`(?m)(?:^|: )(?:out of memory|[Cc]annot allocate memory|memory exhausted)\b|^MemoryError\b|std::bad_alloc|heap out of memory|OutOfMemoryError`)

// goCrash finds the first words of a Go program that crashed: it ends with a status of its own, like one that refuses.
var goCrash = regexp.MustCompile(`(?m)^(?:panic|fatal error|SIG[A-Z]+): .*(?s:.*?)^goroutine \d+ .*\[`)

// failed is a command that gave no verdict.
type failed struct{ what, words, hint string }

func (f *failed) Error() string {
	if f.words == "" {
		return f.what
	}
	return f.what + "\n" + f.words
}

// Hint returns what to do; it may be empty.
func (f *failed) Hint() string { return f.hint }

// tailLines and tailBytes bound what is told of the output of a command that gave no verdict.
const (
	tailLines = 10
	tailBytes = 2 << 10
)

// firstLines returns the begin of a text.
func firstLines(text string) string {
	lines := strings.SplitN(text, "\n", tailLines+1)
	short := strings.Join(lines[:min(len(lines), tailLines)], "\n")
	return strings.ToValidUTF8(short[:min(len(short), tailBytes)], "")
}

// lastLines returns the end of a text.
func lastLines(text string) string {
	lines := strings.Split(text, "\n")
	lines = lines[max(0, len(lines)-tailLines):]
	short := strings.Join(lines, "\n")
	return strings.ToValidUTF8(short[max(0, len(short)-tailBytes):], "")
}

// reason takes the path out of an error of a system call.
func reason(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// expand replaces placeholders in arguments.
func (r *Run) expand(pairs ...string) []string {
	replacer := strings.NewReplacer(pairs...)
	args := slices.Clone(r.Command[1:])
	for i := range args {
		args[i] = replacer.Replace(args[i])
	}
	return args
}
