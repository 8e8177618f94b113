package source

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// testRepo is a real repository in a temporary directory.
type testRepo struct {
	t   *testing.T
	dir string
}

// gitEnv is an environment that no configuration of the machine reaches.
func gitEnv(more ...string) []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.DevNull, "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_SYSTEM=" + os.DevNull,
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*",
	}, more...)
}

// newRepo makes a repository on branch main with the remote origin and one commit.
func newRepo(t *testing.T, initArgs ...string) testRepo {
	t.Helper()
	r := testRepo{t, t.TempDir()}
	r.git(append([]string{"init", "--quiet", "--initial-branch=main"}, initArgs...)...)
	r.git("remote", "add", "origin", "https://user:s3cret@example.com/org/fleet.git")
	r.write(".gitignore", "out/\n")
	r.write("apps/web/kustomization.yaml", "resources: []\n")
	r.commit("first")
	return r
}

// git runs a git command with a fixed author and clock, and returns its output.
func (r testRepo) git(args ...string) string {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), "git", append([]string{"-c", "protocol.file.allow=always"}, args...)...)
	cmd.Dir = r.dir
	cmd.Env = gitEnv("GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
		"GIT_AUTHOR_DATE=2026-03-01T10:00:00+05:30", "GIT_COMMITTER_DATE=2026-03-01T12:00:00+05:30")
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r testRepo) write(name, content string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

// commit commits everything and returns the new commit.
func (r testRepo) commit(message string) string {
	r.t.Helper()
	r.git("add", "--all")
	r.git("commit", "--quiet", "--allow-empty", "--message", message)
	return r.head()
}

func (r testRepo) head() string { return r.git("rev-parse", "HEAD") }

// clone returns a shallow or full clone of the repository.
func (r testRepo) clone(args ...string) testRepo {
	r.t.Helper()
	c := testRepo{r.t, filepath.Join(r.t.TempDir(), "clone")}
	r.git(append(append([]string{"clone", "--quiet"}, args...), "file://"+r.dir, c.dir)...)
	c.git("remote", "set-url", "origin", "https://example.com/org/fleet.git")
	return c
}

// detect runs Detect in the repository, with further variables and a change of the options.
func (r testRepo) detect(env []string, change func(*Options)) (Source, error) {
	opts := Options{Dir: r.dir, Environ: gitEnv(env...)}
	if change != nil {
		change(&opts)
	}
	return Detect(r.t.Context(), opts)
}

// mustDetect is detect without errors.
func (r testRepo) mustDetect(env ...string) Source {
	r.t.Helper()
	s, err := r.detect(env, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}
