package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/sigstore/sigstore-go/pkg/root"

	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/plugins/signer/sigstoretuf"
)

// tufService names a mirror in messages.
const tufService = "the TUF mirror"

// findByTUF takes the services from the public Sigstore's TUF repository, or the one of the options.
func (s *keylessSigner) findByTUF(ctx context.Context, o options) (warnings []string, err error) {
	r, err := newRepository(o, s.network.hurried())
	if err != nil {
		return nil, err
	}
	told, err := r.Fetch(ctx)
	if err != nil {
		return nil, explainTUF(ctx, err)
	}
	config, err := root.NewSigningConfigFromJSON(told.SigningConfig)
	if err != nil {
		return nil, fmt.Errorf("%w: signing config of %s: %w", signer.ErrInvalid, r.URL, err)
	}
	if s.services, err = servicesOfConfig(config, "signing config of "+r.URL, time.Now()); err != nil {
		return nil, err
	}
	if s.services.signIn == "" && o.tufMirror == "" {
		s.services.signIn = publicIssuer
	}
	if s.check.trusted == nil {
		trusted, err := root.NewTrustedRootFromJSON(told.TrustedRoot)
		if err != nil {
			return nil, fmt.Errorf("%w: trusted root of %s: %w", signer.ErrInvalid, r.URL, err)
		}
		s.check = selfCheck{trusted, "of " + r.URL}
	}
	return told.Warnings, s.services.check()
}

func newRepository(o options, n network) (sigstoretuf.Repository, error) {
	r := sigstoretuf.Repository{URL: o.tufMirror, Services: true, Get: n.getter()}
	if r.URL == "" {
		r.URL = sigstoretuf.PublicURL
	}
	if o.tufRoot != "" {
		text, err := readFile("tufRoot", o.tufRoot)
		if err != nil {
			return r, err
		}
		if err := sigstoretuf.CheckRoot(text); err != nil {
			return r, signer.Invalidf("it is what the mirror has as 1.root.json", "option \"tufRoot\": %s is no TUF root: %v", o.tufRoot, err)
		}
		r.Root = text
	}
	var err error
	if o.tufCache == "" {
		r.Cache, err = sigstoretuf.DefaultCache()
		if err != nil {
			r.Cache = "" // there is no home to keep a copy in, and nobody asked for one
		}
		return r, nil
	}
	if r.Cache, err = filepath.Abs(o.tufCache); err == nil {
		err = os.MkdirAll(r.Cache, 0o700)
	}
	if err != nil {
		return r, signer.Invalidf("name a directory that can be written to", "option \"tufCache\": %v", err)
	}
	return r, nil
}

// getter downloads with patience.
func (n network) getter() sigstoretuf.Getter {
	return func(ctx context.Context, address string) ([]byte, error) {
		text, err := n.askText(ctx, question{service: tufService, method: http.MethodGet, url: address})
		var f *failure
		if errors.As(err, &f) && f.status == http.StatusNotFound {
			return nil, fmt.Errorf("%s: %w", address, fs.ErrNotExist)
		}
		return []byte(text), err
	}
}

// explainTUF says what to do when there is nothing to go by.
func explainTUF(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	if errors.Is(err, sigstoretuf.ErrUntrusted) {
		err = fmt.Errorf("%w: %w", signer.ErrInvalid, err)
	}
	return signer.WithHint(err, "to do without TUF, name the services by signingConfig and trustedRoot; for a mirror of your own: tufMirror and tufRoot; "+
		"for a proxy list HTTPS_PROXY and NO_PROXY under `env` of this signer")
}
