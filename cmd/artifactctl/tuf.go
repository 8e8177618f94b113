package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/artifactctl/artifactctl/config"
	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/plugins/signer/sigstoretuf"
)

const (
	// tufAttempt bounds one attempt to download a file of a TUF repository.
	tufAttempt = 30 * time.Second
	// tufPause bounds the pause between two attempts, also the one that the server asks for.
	tufPause = 10 * time.Second
	// tufFile bounds what is read of a file, in bytes. The largest one of the public Sigstore has less than 100 kB.
	tufFile = 8 << 20
)

// fetchRoot asks the TUF repository of the active signer's trust for the trusted root, or takes the copy that this run
// and its signer share. It is never the signer who says what the signer is checked with.
func (s *session) fetchRoot(ctx context.Context) ([]byte, error) {
	r, err := repositoryOf(s.cfg)
	if err != nil {
		return nil, err
	}
	root, err := s.fetchRootOf(ctx, r)
	if err != nil {
		err = fmt.Errorf("%s: signers.%s.trust: fetch the trusted root: %w", s.cfg.File, s.cfg.Signer, err)
		return nil, adviseRoot(ctx, err, s.cfg.Signers[s.cfg.Signer].Trust)
	}
	return root, nil
}

// fetchRootOf asks a TUF repository; the zero one is that of the public Sigstore.
func (s *session) fetchRootOf(ctx context.Context, r sigstoretuf.Repository) ([]byte, error) {
	m, err := s.fetchMirror(ctx, r)
	if err != nil {
		return nil, err
	}
	s.warn(m.Warnings...)
	return m.TrustedRoot, nil
}

// fetchMirror asks a TUF repository, or takes the copy that is still good.
func (p *program) fetchMirror(ctx context.Context, r sigstoretuf.Repository) (sigstoretuf.Material, error) {
	client := newTUFClient()
	defer client.HTTPClient.CloseIdleConnections()
	r.Cache = p.tufCache()
	r.Get = func(ctx context.Context, url string) ([]byte, error) { return download(ctx, client, url) }
	return r.Fetch(ctx)
}

// repositoryOf is the TUF repository that trust names, or that of the public Sigstore.
func repositoryOf(cfg *config.Config) (sigstoretuf.Repository, error) {
	trust := cfg.Signers[cfg.Signer].Trust
	r := sigstoretuf.Repository{URL: trust.TUFMirror}
	if trust.TUFRoot == "" {
		return r, nil
	}
	text, err := readTrust(cfg, "tufRoot", trust.TUFRoot, "it is what the mirror has as 1.root.json, got from whoever runs it")
	if err != nil {
		return r, err
	}
	if err := sigstoretuf.CheckRoot(text); err != nil {
		return r, usagef("it is what the mirror has as 1.root.json", "%s: signers.%s.trust.tufRoot: %s is no TUF root: %w", cfg.File, cfg.Signer, trust.TUFRoot, err)
	}
	r.Root = text
	return r, nil
}

// tufCache is where copies of TUF repositories are: where plugins look for them, too, unless a flag says otherwise. It is
// empty when nothing is to be kept.
func (p *program) tufCache() string {
	if p.flags.noCache {
		return ""
	}
	find := sigstoretuf.DefaultCache
	if p.flags.cacheDir != "" {
		find = func() (string, error) { return p.cacheDirectory("tuf") }
	}
	dir, err := find()
	if err != nil {
		return "" // there is no home to keep a copy in, and nobody asked for one
	}
	return dir
}

func newTUFClient() *retryablehttp.Client {
	c := retryablehttp.NewClient()
	c.Logger, c.ErrorHandler = nil, retryablehttp.PassthroughErrorHandler
	c.RetryMax, c.RetryWaitMin, c.RetryWaitMax = 3, 250*time.Millisecond, tufPause
	c.HTTPClient.Timeout = tufAttempt
	c.Backoff = func(least, most time.Duration, n int, r *http.Response) time.Duration {
		return min(retryablehttp.DefaultBackoff(least, most, n, r), most)
	}
	return c
}

func download(ctx context.Context, client *retryablehttp.Client, url string) ([]byte, error) {
	request, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	switch response.StatusCode {
	case http.StatusOK:
		text, err := io.ReadAll(io.LimitReader(response.Body, tufFile))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", url, err)
		}
		return text, nil
	case http.StatusNotFound:
		return nil, fmt.Errorf("%s: %w", url, fs.ErrNotExist)
	}
	return nil, fmt.Errorf("GET %s: the answer is %s", url, response.Status)
}

// adviseRoot adds what helps when there is no trusted root. What a mirror has not signed is a matter of configuration.
func adviseRoot(ctx context.Context, err error, trust config.Trust) error {
	if ctx.Err() != nil {
		return err
	}
	proxy := signer.WithHint(err, "behind a proxy set HTTPS_PROXY, and for a certificate authority of your own SSL_CERT_FILE")
	file := "where there is no network name a file by trustedRoot, as `cosign trusted-root create --with-default-services` writes it where there is one"
	if trust.TUFRoot != "" {
		file = "where the mirror cannot be reached name a file by trustedRoot in place of it, as `cosign trusted-root create` writes it for your Sigstore"
	}
	switch {
	case !errors.Is(err, sigstoretuf.ErrUntrusted):
		return signer.WithHint(proxy, file)
	case trust.TUFRoot != "":
		return &usageError{err: err, hint: "tufRoot has to be root.json of the repository at tufMirror, whose metadata must not be out of date"}
	case trust.TUFMirror != "":
		return &usageError{err: err, hint: "without tufRoot, tufMirror has to be an up-to-date mirror of the public Sigstore's repository"}
	}
	return &usageError{err: err, hint: "look at the clock of this machine, and at what stands between it and the Sigstore; " + file}
}
