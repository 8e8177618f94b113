package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"

	"github.com/rogpeppe/go-internal/lockedfile"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/tuf"
	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/fetcher"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// freshDays is how long the copy is used without asking the mirror, in days. Sigstore announces changes weeks ahead.
const freshDays = 1

// mirror is a TUF repository that tells which services a Sigstore has now and what to trust
// (https://theupdateframework.io). What it told last is kept in a directory that all runs share.
type mirror struct {
	url     string
	root    []byte // where trust begins: root.json of some version
	cache   string // directory; empty: nothing is kept
	network network
}

// sigstore is what a mirror tells.
type sigstore struct {
	config  *root.SigningConfig
	trusted *root.TrustedRoot
	warning string
}

// newMirror takes the public Sigstore's mirror, or the one of the options.
func newMirror(o options, n network) (m mirror, warning string, err error) {
	m = mirror{url: tuf.DefaultMirror, root: tuf.DefaultRoot(), network: n.hurried()}
	if o.tufMirror != "" {
		m.url = o.tufMirror
	}
	if o.tufRoot != "" {
		if m.root, err = readFile("tufRoot", o.tufRoot); err != nil {
			return mirror{}, "", err
		}
		if _, err := new(metadata.Metadata[metadata.RootType]).FromBytes(m.root); err != nil {
			return mirror{}, "", signer.Invalidf("it is what the mirror has as 1.root.json", "option \"tufRoot\": %s is no TUF root: %v", o.tufRoot, err)
		}
	}
	m.cache, err = cacheDirectory(o)
	if err == nil {
		err = os.MkdirAll(m.cache, 0o700)
	}
	if err != nil && o.tufCache != "" {
		return mirror{}, "", signer.Invalidf("", "option \"tufCache\": %v", err)
	}
	if err != nil {
		m.cache = ""
		return m, fmt.Sprintf("what %s tells is not kept for the next run: %v; set tufCache to a directory", m.url, err), nil
	}
	return m, "", nil
}

// cacheDirectory is the one of the options, or the user's. A plugin rarely sees HOME.
func cacheDirectory(o options) (string, error) {
	if o.tufCache != "" {
		return filepath.Abs(o.tufCache)
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

// fetch asks the mirror unless the copy is fresh, and falls back on the copy as long as that is valid.
func (m mirror) fetch(ctx context.Context) (sigstore, error) {
	unlock, err := m.lock(ctx)
	if err != nil {
		return sigstore{}, err
	}
	defer unlock()
	online := newDownload(ctx, m.network)
	got, err := m.load(online)
	if err == nil {
		m.keep(online.roots)
		return got, nil
	}
	if ctx.Err() != nil {
		return sigstore{}, fmt.Errorf("ask %s: %w", m.url, plain(ctx, tufService, err))
	}
	if m.cache == "" {
		return sigstore{}, m.explain(err, errors.New("nothing was kept"))
	}
	got, keptErr := m.load(kept{m.directory()})
	_ = os.Remove(m.directory() + ".json") // the client takes this for news, and would not ask again today
	if keptErr != nil {
		return sigstore{}, m.explain(err, keptErr)
	}
	got.warning = fmt.Sprintf("what %s told earlier is used, which is still valid; now: %v", m.url, plain(ctx, tufService, err))
	return got, nil
}

// load runs the TUF client over a source of files. It verifies all of them, and that none is out of date.
func (m mirror) load(from fetcher.Fetcher) (sigstore, error) {
	client, err := tuf.New(&tuf.Options{
		Root: m.root, RepositoryBaseURL: m.url, Fetcher: from,
		CachePath: m.cache, CacheValidity: freshDays, DisableLocalCache: m.cache == "",
	})
	if err != nil {
		return sigstore{}, err
	}
	config, err := root.GetSigningConfig(client)
	if err != nil {
		return sigstore{}, fmt.Errorf("signing config: %w", err)
	}
	trusted, err := root.GetTrustedRoot(client)
	if err != nil {
		return sigstore{}, fmt.Errorf("trusted root: %w", err)
	}
	return sigstore{config: config, trusted: trusted}, nil
}

// directory is where the TUF client keeps the files of this mirror.
func (m mirror) directory() string { return filepath.Join(m.cache, tuf.URLToPath(m.url)) }

// keep writes the versions of root.json that led from the first trust to now; the TUF client keeps the last one only.
func (m mirror) keep(roots map[string][]byte) {
	for name, text := range roots {
		if m.cache != "" {
			_ = os.WriteFile(filepath.Join(m.directory(), name), text, 0o600) // what is not kept is asked for again
		}
	}
}

// lock waits until no other run changes the copy. The system frees the lock of a process that was killed.
func (m mirror) lock(ctx context.Context) (unlock func(), err error) {
	if m.cache == "" {
		return func() {}, nil
	}
	type result struct {
		unlock func()
		err    error
	}
	locked := make(chan result, 1)
	go func() {
		u, err := lockedfile.MutexAt(filepath.Join(m.cache, "lock")).Lock()
		locked <- result{u, err}
	}()
	select {
	case r := <-locked:
		if r.err != nil {
			return nil, signer.Invalidf("set tufCache to a directory that can be written to", "lock %s: %v", m.cache, r.err)
		}
		return r.unlock, nil
	case <-ctx.Done():
		go func() {
			if r := <-locked; r.err == nil {
				r.unlock()
			}
		}()
		return nil, fmt.Errorf("wait for another run that uses %s: %w", m.cache, ctx.Err())
	}
}

// explain says why there is nothing to go by. A mirror that does not answer may do so later; one that tells what is not
// signed, or out of date, will not.
func (m mirror) explain(err, keptErr error) error {
	const hint = "to do without TUF, name the services by signingConfig and trustedRoot; for a mirror of your own: tufMirror and tufRoot; " +
		"for a proxy list HTTPS_PROXY and NO_PROXY under `env` of this signer"
	copied := "there is no copy of what it told earlier"
	if errors.Is(keptErr, &metadata.ErrExpiredMetadata{}) {
		copied = "the copy of what it told earlier is out of date"
	}
	var f *failure
	if errors.As(err, &f) {
		return signer.WithHint(fmt.Errorf("%w; %s", f, copied), hint)
	}
	return signer.WithHint(fmt.Errorf("%w: the TUF mirror %s tells nothing that can be trusted: %w; %s", signer.ErrInvalid, m.url, err, copied), hint)
}
