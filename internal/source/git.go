package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// maxOutput bounds what is kept of git's output; the rest is read and dropped.
const maxOutput = 1 << 20

// git runs git commands in one directory.
type git struct {
	dir string
	env []string
}

// passed says whether git gets a variable of the user's environment.
func passed(name string) bool {
	switch name {
	case "PATH", "HOME", "USERPROFILE", "XDG_CONFIG_HOME", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT",
		"GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM", "GIT_EXEC_PATH",
		"GIT_TEST_ASSUME_DIFFERENT_OWNER": // git's own means to try "dubious ownership"
		return true
	}
	return strings.HasPrefix(name, "GIT_CONFIG")
}

// newGit returns a git whose output does not depend on the user's language, and that asks nobody for anything: not
// the user for a password, not a remote for a missing object (GIT_ALLOW_PROTOCOL names none that exists).
func newGit(dir string, env environment) git {
	g := git{dir: dir, env: []string{
		"LC_ALL=C", "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "GIT_PAGER=cat",
		"GIT_NO_REPLACE_OBJECTS=1", "GIT_NO_LAZY_FETCH=1", "GIT_ALLOW_PROTOCOL=none",
	}}
	for name, text := range env {
		if passed(name) {
			g.env = append(g.env, name+"="+text)
		}
	}
	return g
}

// run runs a git command and returns its output and exit code. An error means that git could not be run, was cut off by
// ctx, or failed with a code other than 1, by which many commands answer "no".
func (g git) run(ctx context.Context, stdin string, args ...string) (string, int, error) {
	args = append([]string{"-c", "core.fsmonitor=false", "-c", "core.hooksPath=" + os.DevNull, "-c", "log.showSignature=false", "--no-pager"}, args...)
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = g.dir, g.env, 3*time.Second
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bounded
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return stdout.String(), 0, nil
	case ctx.Err() != nil:
		return "", 0, fmt.Errorf("git %s: %w", verb(args), context.Cause(ctx))
	case errors.As(err, &exit) && exit.ExitCode() == 1 && stderr.Len() == 0:
		return stdout.String(), 1, nil
	case errors.As(err, &exit):
		return "", exit.ExitCode(), explain(verb(args), stderr.String(), err)
	case errors.Is(err, exec.ErrNotFound):
		return "", 0, errNoGit
	default:
		return "", 0, fmt.Errorf("git %s: %w", verb(args), err)
	}
}

// verb is the name of the command in the arguments of git.
func verb(args []string) string {
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == "-c":
			i++
		case !strings.HasPrefix(args[i], "-"):
			return args[i]
		}
	}
	return ""
}

// explain makes an error of what git printed.
func explain(verb, stderr string, err error) error {
	const dubious, remedy = "detected dubious ownership", "git config --global --add safe.directory "
	if strings.Contains(stderr, "not a git repository") {
		return errNoRepository
	}
	if strings.Contains(stderr, dubious) {
		hint := "trust the repository: " + remedy + "<its directory>"
		if _, rest, ok := strings.Cut(stderr, remedy); ok {
			path, _, _ := strings.Cut(rest, "\n")
			hint = "trust the repository: " + remedy + path
		}
		return hinted(errors.New("git refuses to read the repository: it belongs to another user"), hint)
	}
	for line := range strings.Lines(stderr) {
		if message, ok := strings.CutPrefix(strings.TrimSpace(line), "fatal: "); ok {
			return fmt.Errorf("git %s: %s", verb, message)
		}
	}
	return fmt.Errorf("git %s: %w", verb, err)
}

// bounded is a buffer that stops growing.
type bounded struct{ bytes.Buffer }

// Write keeps what fits and pretends to have kept it all, so that the writer does not block or fail.
func (b *bounded) Write(p []byte) (int, error) {
	if room := maxOutput - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
