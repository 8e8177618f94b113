// Package sigstoretuf asks a TUF repository (https://theupdateframework.io) which services a Sigstore has and what its
// signatures are checked with, and keeps a copy that all runs of a user share, those of artifactctl and of its plugins.
// It believes only what the given root has signed, whoever serves it: who can write to the copy can keep it old until it
// expires, no more. It has no HTTP client of its own, and judges no signatures: that is for those who call it.
package sigstoretuf

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/tuf"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// PublicURL is where the public Sigstore has its TUF repository.
const PublicURL = tuf.DefaultMirror

// fresh is how long the copy is used without asking the repository. Sigstore announces changes weeks ahead.
const fresh = 24 * time.Hour

// ErrUntrusted says that a repository answers, but with nothing that its root has signed and that is not out of date. To
// ask again does not help.
var ErrUntrusted = errors.New("tells nothing that can be trusted")

// Getter downloads a file. How patient it is, and how much it reads at most, is its own affair. A file that is not there
// is an fs.ErrNotExist. It returns soon after ctx is done.
type Getter func(ctx context.Context, url string) ([]byte, error)

// Repository is a TUF repository of a Sigstore.
type Repository struct {
	// URL of the repository. By default it is that of the public Sigstore.
	URL string
	// Root is where the trust begins: root.json of any version. By default it is the public Sigstore's, as this program was
	// built with; with it a URL of one's own has to be a mirror of the public repository.
	Root []byte
	// Cache is the directory of the copy, see DefaultCache. It is locked while it is used, also against other processes.
	// When it is empty, or cannot be used, nothing is kept.
	Cache string
	// Services says that the signing config is needed. Otherwise a repository that has none will do.
	Services bool
	// Get downloads files.
	Get Getter
}

// Material is what a repository tells: documents that were signed and are well-formed.
type Material struct {
	// TrustedRoot is a Sigstore trusted root, in JSON.
	TrustedRoot []byte
	// SigningConfig is a signing config v0.2, in JSON; nil when the repository has none.
	SigningConfig []byte
	// Warnings say what the user may want to mend.
	Warnings []string
}

// DefaultCache is the directory for copies that plugins and artifactctl find alike: below $ARTIFACTCTL_CACHE_DIR or else
// the user's cache directory. Without the variables that name the latter, as a plugin has it, the system is asked for the
// user's home.
func DefaultCache() (string, error) {
	if dir := os.Getenv("ARTIFACTCTL_CACHE_DIR"); dir != "" {
		return filepath.Abs(filepath.Join(dir, "tuf"))
	}
	base, err := os.UserCacheDir()
	if err != nil {
		me, meErr := user.Current()
		if meErr != nil || me.HomeDir == "" {
			return "", err
		}
		base = filepath.Join(me.HomeDir, ".cache")
	}
	return filepath.Join(base, "artifactctl", "tuf"), nil
}

// CheckRoot refuses what cannot be the root of a repository.
func CheckRoot(text []byte) error {
	_, err := new(metadata.Metadata[metadata.RootType]).FromBytes(text)
	return err
}

// Fetch asks the repository, unless the copy is less than a day old, and falls back on the copy as long as that is valid.
// An error is ErrUntrusted, or that of the Getter, or the context's.
func (r Repository) Fetch(ctx context.Context) (Material, error) {
	if r.URL == "" {
		r.URL = PublicURL
	}
	if r.Root == nil {
		r.Root = tuf.DefaultRoot()
	}
	r.URL = strings.TrimRight(r.URL, "/")
	unlock, err := r.lock(ctx)
	if err != nil && ctx.Err() != nil {
		return Material{}, err
	}
	var warnings []string
	if err != nil {
		r.Cache, warnings = "", []string{r.unkept(err)}
	}
	defer unlock()
	m, err := r.fetch(ctx)
	m.Warnings = append(warnings, m.Warnings...)
	return m, err
}

func (r Repository) fetch(ctx context.Context) (Material, error) {
	if r.asked(time.Now()) {
		if m, err := r.kept(); err == nil {
			return m, nil
		}
	}
	m, err := r.online(ctx)
	if err == nil {
		return m, nil
	}
	if ctx.Err() != nil {
		return Material{}, fmt.Errorf("ask %s: %w", r.URL, ctx.Err())
	}
	m, keptErr := r.kept()
	if keptErr != nil {
		return Material{}, r.explain(err, keptErr)
	}
	m.Warnings = []string{fmt.Sprintf("what %s told earlier is used, which is still valid; now: %v", r.URL, bare(err))}
	return m, nil
}

// explain says why there is nothing to go by. A repository that does not answer may do so later; one that tells what is
// not signed, or out of date, will not.
func (r Repository) explain(err, keptErr error) error {
	copied := "there is no copy of what it told earlier"
	if errors.Is(keptErr, &metadata.ErrExpiredMetadata{}) {
		copied = "the copy of what it told earlier is out of date"
	}
	var u *unreachable
	if errors.As(err, &u) {
		return fmt.Errorf("%w; %s", u.error, copied)
	}
	return fmt.Errorf("the TUF mirror %s %w: %w; %s", r.URL, ErrUntrusted, err, copied)
}

// bare takes the TUF client's words off a download that failed.
func bare(err error) error {
	var u *unreachable
	if errors.As(err, &u) {
		return u.error
	}
	return err
}
