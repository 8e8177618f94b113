package registry

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sync/singleflight"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
)

// Credentials are a user name and a password or token for the registry.
type Credentials struct {
	Username string
	Password string
}

// credentialFunc says where logins come from: what the caller gave, for the registry's own host; else docker's
// configuration, when that is wanted and there.
func credentialFunc(o RemoteOptions, host string) (auth.CredentialFunc, error) {
	if o.Credentials != (Credentials{}) {
		return auth.StaticCredential(host, auth.Credential{
			Username: o.Credentials.Username,
			Password: o.Credentials.Password,
		}), nil
	}
	if !o.DockerConfig {
		return nil, nil
	}
	if _, err := os.UserHomeDir(); err != nil && os.Getenv("DOCKER_CONFIG") == "" {
		return nil, nil // no place where a configuration could be
	}
	store, err := credentials.NewStoreFromDocker(credentials.StoreOptions{})
	if err != nil {
		return nil, fmt.Errorf("read docker's configuration: %w", err)
	}
	c := &credentialCache{get: credentials.Credential(store), from: filepath.Base(store.ConfigPath())}
	return c.credential, nil
}

// credentialCache asks a credential helper, which is a process, once a host and run.
type credentialCache struct {
	get    auth.CredentialFunc
	from   string
	flight singleflight.Group
	known  sync.Map
}

func (c *credentialCache) credential(ctx context.Context, host string) (auth.Credential, error) {
	if known, ok := c.known.Load(host); ok {
		return known.(auth.Credential), nil
	}
	found, err, _ := c.flight.Do(host, func() (any, error) {
		cred, err := c.get(ctx, host)
		if err != nil {
			return nil, fmt.Errorf("credentials for %s from docker's %s: %w", host, c.from, err)
		}
		c.known.Store(host, cred)
		return cred, nil
	})
	if err != nil {
		return auth.EmptyCredential, err
	}
	return found.(auth.Credential), nil
}
