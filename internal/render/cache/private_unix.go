//go:build unix

package cache

import (
	"os"
	"syscall"
)

// private makes sure that nobody else can have put anything into dir: what lies in a cache gets published.
func private(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if info.Mode().Perm()&0o022 != 0 {
		return &exposed{dir: dir, how: "others may write to it"}
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid != 0 && int(stat.Uid) != os.Geteuid() {
		return &exposed{dir: dir, how: "it belongs to another user"}
	}
	return nil
}

// exposed is a directory that cannot be trusted.
type exposed struct{ dir, how string }

func (e *exposed) Error() string { return e.how }

// Hint returns what to do.
func (e *exposed) Hint() string {
	return "what is in a cache gets published: remove " + e.dir + ", or make it a directory of your own with mode 0700"
}
