package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/artifactctl/artifactctl/config"
	"github.com/artifactctl/artifactctl/internal/registry"
)

// openRegistry opens the registry of publish.yaml: a remote one, or a directory.
func (s *session) openRegistry(ctx context.Context, write bool) error {
	c := s.cfg.Registry
	if dir, ok := c.Layout(); ok {
		layout, err := registry.NewLayout(s.cfg.Abs(dir))
		if err != nil {
			return &usageError{err: err, hint: "registry.url names the directory: choose one that is none of your files"}
		}
		s.engine.Registry, s.engine.Host = layout, "oci-layout:"+strings.TrimSuffix(dir, "/")
		return nil
	}
	options, err := s.remoteOptions(write)
	if err != nil {
		return err
	}
	options.Cache = s.openRegistryCache(ctx)
	remote, err := registry.NewRemote(options)
	if err != nil {
		return &usageError{err: fmt.Errorf("%s: registry: %w", s.cfg.File, advise(err, "registry.tls and registry.url of publish.yaml say what is used"))}
	}
	s.engine.Registry, s.engine.Recall = remote, remote.Known()
	s.engine.Host = strings.TrimSuffix(options.Host+"/"+options.Prefix, "/")
	return nil
}

// openRegistryCache keeps what registries store under digests, so that signatures that were seen once are not fetched
// again to find that there is nothing to do. Nil is no cache.
func (s *session) openRegistryCache(ctx context.Context) *registry.Cache {
	if s.flags.noCache {
		return nil
	}
	dir, err := s.cacheDirectory("registry")
	if err != nil {
		return nil // nobody asked for a cache, and there is no home to keep one in
	}
	c := registry.NewCache(dir)
	s.closers = append(s.closers, func() {
		if c.Stats().Stored == 0 {
			return
		}
		if _, err := c.Prune(context.WithoutCancel(ctx), registry.DefaultCacheLimit); err != nil {
			s.warn(fmt.Sprintf("the cache of signatures is not pruned: %v", err))
		}
	})
	return c
}

func (s *session) remoteOptions(write bool) (registry.RemoteOptions, error) {
	c := s.cfg.Registry
	o := registry.RemoteOptions{
		PlainHTTP: c.Insecure, CAFile: s.cfg.Abs(c.TLS.CA), CertFile: s.cfg.Abs(c.TLS.Cert), KeyFile: s.cfg.Abs(c.TLS.Key),
		Timeout: c.Timeout, Retries: c.Retries, DockerConfig: true, PushScope: write,
		UserAgent: "artifactctl/" + versionText(), Legacy: s.legacy || s.cfg.Signature.Format != config.FormatBundle,
	}
	if c.Retries == 0 {
		o.Retries = -1 // none
	}
	o.Host, o.Prefix = c.Host()
	for _, a := range s.apps {
		o.Repositories = append(o.Repositories, a.Repository)
	}
	var err error
	if o.Credentials.Username, err = c.Credentials.Username.Resolve(s.lookup, s.cfg.Dir); err == nil {
		o.Credentials.Password, err = c.Credentials.Password.Resolve(s.lookup, s.cfg.Dir)
	}
	if err != nil {
		return o, usagef("set it, or leave registry.credentials out to use docker's configuration", "%s: registry.credentials: %w", s.cfg.File, err)
	}
	return o, nil
}
