package sigstoretuf

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/fetcher"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"
)

// The files of a repository that matter here.
const (
	trustedRoot   = "trusted_root.json"
	signingConfig = "signing_config.v0.2.json"
)

// load runs the TUF client over a source of files. It verifies all of them, from the root on, and that none is out of
// date. In dir it finds what was there before, which must not be newer, and keeps what is new; an empty dir is none.
func (r Repository) load(from fetcher.Fetcher, dir string) (Material, error) {
	c, err := config.New(r.URL, r.Root)
	if err != nil {
		return Material{}, err
	}
	c.Fetcher, c.DisableLocalCache = from, dir == ""
	if dir == "" {
		dir = os.DevNull // the client reads files there even so, and must find none
	}
	c.LocalMetadataDir, c.LocalTargetsDir = dir, filepath.Join(dir, "targets")
	client, err := updater.New(c)
	if err != nil {
		return Material{}, err
	}
	if err := client.Refresh(); err != nil {
		return Material{}, err
	}
	var m Material
	if m.TrustedRoot, err = target(client, trustedRoot); err == nil {
		_, err = root.NewTrustedRootFromJSON(m.TrustedRoot)
	}
	if err != nil {
		return Material{}, fmt.Errorf("trusted root: %w", err)
	}
	// Whoever does not need it gets it even so: a signer that runs next will find it in the copy.
	if m.SigningConfig, err = target(client, signingConfig); err == nil {
		_, err = root.NewSigningConfigFromJSON(m.SigningConfig)
	}
	if err != nil && r.Services {
		return Material{}, fmt.Errorf("signing config: %w", err)
	}
	if err != nil {
		m.SigningConfig = nil
	}
	return m, nil
}

func target(client *updater.Updater, name string) ([]byte, error) {
	info, err := client.GetTargetInfo(name)
	if err != nil {
		return nil, err
	}
	if path, text, err := client.FindCachedTarget(info, ""); err == nil && path != "" {
		return text, nil
	}
	_, text, err := client.DownloadTarget(info, "", "")
	return text, err
}

// download gets files from the repository. The TUF client verifies them.
type download struct {
	get   func(address string) ([]byte, error)
	roots map[string][]byte // the versions of root.json that were there
}

// newDownload makes the fetcher of one call, bound to its context: the TUF client hands none on.
func newDownload(ctx context.Context, get Getter) *download {
	return &download{roots: map[string][]byte{}, get: func(address string) ([]byte, error) { return get(ctx, address) }}
}

// unreachable is why a file could not be downloaded.
type unreachable struct{ error }

func (u *unreachable) Unwrap() error { return u.error }

// DownloadFile implements fetcher.Fetcher.
func (d *download) DownloadFile(address string, limit int64, _ time.Duration) ([]byte, error) {
	text, err := d.get(address)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, missing(address)
	case err != nil:
		return nil, &unreachable{err}
	case int64(len(text)) > limit:
		return nil, &metadata.ErrDownloadLengthMismatch{Msg: fmt.Sprintf("%s has more than %d bytes", address, limit)}
	}
	if name := path.Base(address); strings.HasSuffix(name, ".root.json") {
		d.roots[name] = text
	}
	return text, nil
}

// missing is how the TUF client hears that there is no such file, or no newer root.json.
func missing(address string) error {
	return &metadata.ErrDownloadHTTP{StatusCode: http.StatusNotFound, URL: address}
}

// shelf gives the files of a copy as a repository that never changes.
type shelf struct {
	dir     string
	targets string // what addresses of targets begin with
}

// DownloadFile implements fetcher.Fetcher. In a copy, names have neither versions nor hashes before them, but for those of
// root.json.
func (s shelf) DownloadFile(address string, _ int64, _ time.Duration) ([]byte, error) {
	name, dir := path.Base(address), s.dir
	if _, plain, numbered := strings.Cut(name, "."); numbered && plain != "root.json" && plain != "json" {
		name = plain
	}
	if strings.HasPrefix(address, s.targets) {
		dir = filepath.Join(dir, "targets")
	}
	text, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, missing(address)
	}
	return text, err
}
