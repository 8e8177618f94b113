package e2e_test

import (
	"maps"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/artifactctl/artifactctl/test/fixture"
	"github.com/artifactctl/artifactctl/test/peers"
)

// The same commit gives the same digests on machines that differ in all that must not matter.
func TestSameCommitSameDigests(t *testing.T) {
	origin := fixture.NewFleet(t, fixture.Options{Apps: 3, Key: fixture.NewKey(t, "ed25519")})
	first := peers.WithReferrers(t)
	publish(t, origin, url(first))
	want := published(t, origin, first)
	if len(want) != 2*len(origin.Repositories) {
		t.Fatalf("published %v", want)
	}
	for name, machine := range map[string]struct {
		umask string
		dir   string
		file  string
		env   []string
	}{
		"strict umask":  {umask: "077"},
		"loose umask":   {umask: "000"},
		"time zone":     {env: []string{"TZ=Asia/Kathmandu"}},
		"locale":        {env: []string{"LANG=tr_TR.UTF-8", "LC_ALL=tr_TR.UTF-8"}},
		"one processor": {env: []string{"GOMAXPROCS=1"}},
		"eight":         {env: []string{"GOMAXPROCS=8"}},
		"path":          {dir: "ein Ort mit Leerzeichen & ümläut/fleet"},
		"order of apps": {file: fixture.Reversed},
		"all at once": {umask: "077", dir: "a/b/c", file: fixture.Reversed,
			env: []string{"TZ=America/St_Johns", "LANG=C", "GOMAXPROCS=8", "USER=nobody", "TMPDIR=" + t.TempDir()}},
	} {
		t.Run(name, func(t *testing.T) {
			umask, dir, file := machine.umask, machine.dir, machine.file
			if umask == "" {
				umask = "022"
			}
			if dir == "" {
				dir = "clone"
			}
			if file == "" {
				file = fixture.File
			}
			underUmask := []string{"sh", "-c", "umask " + umask + `; exec "$@"`, "sh"}
			fleet, err := origin.Clone(t.Context(), filepath.Join(t.TempDir(), dir), underUmask...)
			if err != nil {
				t.Fatal(err)
			}
			r := peers.WithReferrers(t)
			cmd := command(t.Context(), t, fleet, url(r), machine.env, "publish", "-f", file)
			wrap(t, cmd, underUmask)
			if got := finish(t, cmd); got.code != 0 {
				t.Fatalf("publish exits with %d\n%s%s", got.code, got.stdout, got.stderr)
			}
			if got := published(t, fleet, r); !maps.Equal(got, want) {
				t.Errorf("digests differ: got %v, want %v", got, want)
			}
		})
	}
}

// Another commit with the same content changes nothing but what says so: the second commit is not pushed again.
func TestSameContentNextCommit(t *testing.T) {
	fleet := fixture.NewFleet(t, fixture.Options{Apps: 1, Key: fixture.NewKey(t, "p256")})
	r := peers.Distribution(t)
	publish(t, fleet, url(r))
	want := published(t, fleet, r)
	if err := fleet.Write("README.md", "nothing that is published\n"); err != nil {
		t.Fatal(err)
	}
	if err := fleet.Commit(t.Context(), "second"); err != nil {
		t.Fatal(err)
	}
	nothingToDo(t, fleet, r)
	if got := published(t, fleet, r); !maps.Equal(got, want) {
		t.Errorf("tags moved: got %v, want %v", got, want)
	}
}

// wrap makes cmd run through a prefix such as a shell that sets the umask.
func wrap(t *testing.T, cmd *exec.Cmd, prefix []string) {
	t.Helper()
	shell, err := exec.LookPath(prefix[0])
	if err != nil {
		t.Fatal(err)
	}
	cmd.Args = append(append([]string{}, prefix...), append([]string{cmd.Path}, cmd.Args[1:]...)...)
	cmd.Path = shell
}
