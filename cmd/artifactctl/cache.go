package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/artifactctl/artifactctl/internal/registry"
	"github.com/artifactctl/artifactctl/internal/render/cache"
)

// cacheKeyVariable holds a key that seals what is cached. Who shares a cache with others than those who may publish
// needs it: what is in the cache gets published.
const cacheKeyVariable = "ARTIFACTCTL_CACHE_KEY"

// cacheFlags adds the flags of commands that render.
func (p *program) cacheFlags(cmd *cobra.Command) {
	p.cacheDirFlag(cmd)
	cmd.Flags().BoolVar(&p.flags.noCache, "no-cache", false, "render everything, read all signatures, and keep nothing")
}

func (p *program) cacheDirFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.flags.cacheDir, "cache-dir", p.getenv("ARTIFACTCTL_CACHE_DIR"), "directory of the cache (default artifactctl in the user's cache directory)")
}

// cacheDirectory is where a part of the cache lies.
func (p *program) cacheDirectory(part string) (string, error) {
	dir := p.flags.cacheDir
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", usagef("say where with --cache-dir", "find the user's cache directory: %w", err)
		}
		dir = filepath.Join(base, "artifactctl")
	}
	dir, err := filepath.Abs(filepath.Join(dir, part))
	if err != nil {
		return "", fmt.Errorf("find the cache: %w", err)
	}
	return dir, nil
}

// openCache opens the cache of renders.
func (s *session) openCache() *cache.Cache { return s.openPart("render") }

// openGateCache opens the cache of what gates said, and of the schemas that they used.
func (s *session) openGateCache() *cache.Cache { return s.openPart("gates") }

// openPart opens a part of the cache. A run goes on without it: it only makes things faster.
func (s *session) openPart(part string) *cache.Cache {
	if s.flags.noCache {
		return nil
	}
	dir, err := s.cacheDirectory(part)
	if err != nil {
		return nil // nobody asked for a cache, and there is no home to keep one in
	}
	c, err := cache.Open(dir, cache.Options{Key: []byte(s.getenv(cacheKeyVariable))})
	if err != nil {
		s.warn(fmt.Sprintf("nothing is cached: %v", err))
		return nil
	}
	s.closers = append(s.closers, func() {
		if err := c.Close(); err != nil {
			s.warn(fmt.Sprintf("the cache is incomplete: %v", err))
		}
	})
	return c
}

func (p *program) cacheCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "cache", Short: "Look at and empty the cache of rendered apps and of signatures", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	dir := &cobra.Command{
		Use: "dir", Short: "Print the directory of the cache, for a CI system to keep", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			dir, err := p.cacheDirectory("")
			if err == nil {
				_, err = fmt.Fprintln(p.out, dir)
			}
			return err
		},
	}
	p.cacheDirFlag(dir)
	cmd.AddCommand(dir, p.cacheInfoCommand(), p.cachePruneCommand())
	return cmd
}

func (p *program) cacheInfoCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "info", Short: "Print what the cache holds", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return p.withPart("render", func(c *cache.Cache) error {
				s, err := c.Stats()
				if err != nil {
					return fmt.Errorf("look at the cache: %w", err)
				}
				_, err = fmt.Fprintf(p.out, "%d apps, %d renders, %s of %s\n", s.Apps, s.Results, size(s.Bytes), size(s.Limit))
				if err == nil && !s.LastUse.IsZero() {
					_, err = fmt.Fprintf(p.out, "the oldest was used %s\n", s.LastUse.UTC().Format(time.RFC3339))
				}
				return err
			})
		},
	}
	p.cacheDirFlag(cmd)
	return cmd
}

func (p *program) cachePruneCommand() *cobra.Command {
	var limit int64
	cmd := &cobra.Command{
		Use: "prune", Short: "Remove what was not used for longest, until the cache is no larger than a limit",
		Example: `  artifactctl cache prune            # all of it
  artifactctl cache prune --max-mib 200`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 0 {
				return usagef("0 removes everything that can be removed", "flag --max-mib cannot be negative")
			}
			return p.prune(cmd.Context(), limit<<20)
		},
	}
	p.cacheDirFlag(cmd)
	cmd.Flags().Int64Var(&limit, "max-mib", 0, "what may stay, in MiB")
	return cmd
}

// prune leaves each part of the cache so many bytes: renders, what gates said, signatures.
func (p *program) prune(ctx context.Context, limit int64) error {
	var files int
	var bytes int64
	for _, part := range []string{"render", "gates"} {
		err := p.withPart(part, func(c *cache.Cache) error {
			removed, err := c.Prune(limit)
			files, bytes = files+removed.Files, bytes+removed.Bytes
			return err
		})
		if err != nil {
			return fmt.Errorf("prune the cache: %w", err)
		}
	}
	dir, err := p.cacheDirectory("registry")
	if err != nil {
		return err
	}
	signatures, err := registry.NewCache(dir).Prune(ctx, limit)
	if err != nil {
		return fmt.Errorf("prune the cache of signatures: %w", err)
	}
	_, err = fmt.Fprintf(p.out, "removed %d files, %s\n", files+signatures.Files, size(bytes+signatures.Bytes))
	return err
}

// withPart opens a part of the cache for a command that is about it.
func (p *program) withPart(part string, work func(*cache.Cache) error) error {
	dir, err := p.cacheDirectory(part)
	if err != nil {
		return err
	}
	c, err := cache.Open(dir, cache.Options{Key: []byte(p.getenv(cacheKeyVariable))})
	if err != nil {
		return usagef("name a directory that can be written with --cache-dir", "open the cache: %w", err)
	}
	defer func() { _ = c.Close() }() // nothing was stored
	return work(c)
}

// size writes bytes for people.
func size(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
