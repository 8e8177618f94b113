package sigstoretuf

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/lockedfile"
	"github.com/sigstore/sigstore-go/pkg/tuf"
)

// stamp is the file of a copy that says when the repository was asked last (RFC 3339).
const stamp = "asked"

// directory is where the copy of this repository is.
func (r Repository) directory() string { return filepath.Join(r.Cache, tuf.URLToPath(r.URL)) }

// asked reports whether the copy is fresh. One from the future is not: somebody set a clock.
func (r Repository) asked(now time.Time) bool {
	if r.Cache == "" {
		return false
	}
	text, err := os.ReadFile(filepath.Join(r.directory(), stamp))
	if err != nil {
		return false
	}
	at, err := time.Parse(time.RFC3339, strings.TrimSpace(string(text)))
	return err == nil && !at.After(now) && now.Sub(at) < fresh
}

// kept reads the copy, with all the checks that the repository's own files have to pass.
func (r Repository) kept() (Material, error) {
	if r.Cache == "" {
		return Material{}, errors.New("nothing was kept")
	}
	return r.load(shelf{r.directory(), r.URL + "/targets/"}, "")
}

// online asks the repository. The copy is replaced as a whole, or stays: an update that breaks off half way leaves one
// that fits together.
func (r Repository) online(ctx context.Context) (Material, error) {
	from := newDownload(ctx, r.Get)
	if r.Cache == "" {
		return r.load(from, "")
	}
	next := r.directory() + ".new"
	_ = os.RemoveAll(next) // of a run that was killed
	defer func() { _ = os.RemoveAll(next) }()
	if err := os.CopyFS(next, os.DirFS(r.directory())); err != nil {
		_ = os.RemoveAll(next) // there is no copy, or half of one
	}
	err := os.MkdirAll(next, 0o700)
	if err != nil {
		next = ""
	}
	m, loadErr := r.load(from, next)
	if loadErr != nil {
		return Material{}, loadErr
	}
	if err == nil {
		err = r.keep(next, from.roots)
	}
	if err != nil {
		m.Warnings = []string{r.unkept(err)}
	}
	return m, nil
}

// unkept is the warning that there is no copy.
func (r Repository) unkept(err error) string {
	return fmt.Sprintf("what %s tells is not kept for the next run: %v", r.URL, err)
}

// keep makes next the copy. The TUF client keeps the last version of root.json only; to begin anew from the first one,
// those that led there are needed, too.
func (r Repository) keep(next string, roots map[string][]byte) error {
	for name, text := range roots {
		if err := os.WriteFile(filepath.Join(next, name), text, 0o600); err != nil {
			return err
		}
	}
	now := time.Now().UTC().Format(time.RFC3339)
	if err := os.WriteFile(filepath.Join(next, stamp), []byte(now+"\n"), 0o600); err != nil {
		return err
	}
	if err := os.RemoveAll(r.directory()); err != nil {
		return err
	}
	return os.Rename(next, r.directory())
}

// lock waits until no other run uses the copies. The system frees the lock of a process that was killed. With an error
// there is nothing to unlock.
func (r Repository) lock(ctx context.Context) (unlock func(), err error) {
	nothing := func() {}
	if r.Cache == "" {
		return nothing, nil
	}
	if err := os.MkdirAll(r.Cache, 0o700); err != nil {
		return nothing, err
	}
	type result struct {
		unlock func()
		err    error
	}
	locked := make(chan result, 1)
	go func() {
		u, err := lockedfile.MutexAt(filepath.Join(r.Cache, "lock")).Lock()
		locked <- result{u, err}
	}()
	select {
	case got := <-locked:
		if got.err != nil {
			return nothing, got.err
		}
		return got.unlock, nil
	case <-ctx.Done():
		go func() {
			if got := <-locked; got.err == nil {
				got.unlock()
			}
		}()
		return nothing, fmt.Errorf("wait for another run that uses %s: %w", r.Cache, ctx.Err())
	}
}
