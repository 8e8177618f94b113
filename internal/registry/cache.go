package registry

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/opencontainers/go-digest"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// Defaults of a cache.
const (
	// DefaultCacheLimit bounds a cache's size, in bytes.
	DefaultCacheLimit = 256 << 20
	// DefaultRecheck is the longest time that an entry of a fallback tag is believed without a look.
	DefaultRecheck = 24 * time.Hour
)

// seenFormat begins a remembered manifest: when its repository last had it.
const seenFormat = "seen " + time.RFC3339 + "\n"

// touchAfter is the age at which using a blob makes it young again.
const touchAfter = time.Hour

// Cache remembers signatures and the manifests that tie them to artifacts, in a directory. All of it is immutable, kept
// under its digest and verified when it is read, so that a cache that is lost, shared, tampered with or restored from
// elsewhere can make a run slower but not wrong. It is safe for concurrent use, by several processes too, and a nil
// *Cache is one that remembers nothing. What cannot be read or written is only missed.
type Cache struct {
	dir     string
	recheck time.Duration
	now     func() time.Time

	hits, misses, stored atomic.Int64
}

// CacheStats tells what a cache was good for in this process.
type CacheStats struct {
	Hits   int64 `json:"hits"`   // manifests and signatures that were not fetched
	Misses int64 `json:"misses"` // ones that were
	Stored int64 `json:"stored"` // files written
}

// NewCache uses a directory as a cache. It is made, for its owner alone, when something is first stored.
func NewCache(dir string) *Cache {
	return &Cache{dir: dir, recheck: DefaultRecheck, now: time.Now}
}

// Stats returns the counts so far.
func (c *Cache) Stats() CacheStats {
	if c == nil {
		return CacheStats{}
	}
	return CacheStats{Hits: c.hits.Load(), Misses: c.misses.Load(), Stored: c.stored.Load()}
}

// manifest returns what a repository (with its host) had under a digest; nil when that is not known. One that is listed
// by the registry itself exists as surely as the list. A fallback tag may outlive what it names, so what it lists is
// believed for a while only: less than recheck, and not equally long for all, lest all be looked at in the same run.
func (c *Cache) manifest(repository, d string, listed bool) []byte {
	if c == nil {
		return nil
	}
	file := c.manifestFile(repository, d)
	b, ok := c.read(file)
	if ok {
		line, content, _ := bytes.Cut(b, []byte("\n"))
		seen, err := time.Parse(seenFormat, string(line)+"\n")
		age := c.now().Sub(seen)
		spread := time.Duration(sha256.Sum256([]byte(repository + d))[0])
		switch {
		case err != nil || digest.FromBytes(content).String() != d:
			_ = os.Remove(file) // damaged
		case listed || (age > -time.Minute && age < c.recheck/2+c.recheck/2*spread/256):
			c.hits.Add(1)
			return content
		}
	}
	c.misses.Add(1)
	return nil
}

// putManifest remembers that a repository has a manifest now.
func (c *Cache) putManifest(repository, d string, content []byte) {
	if c == nil || digest.FromBytes(content).String() != d {
		return
	}
	c.write(c.manifestFile(repository, d), append([]byte(c.now().UTC().Format(seenFormat)), content...))
}

// blob returns the bytes of a signature; nil when they are not known. A repository that has a manifest has its blobs, so
// that the same bytes serve all repositories.
func (c *Cache) blob(d artifact.Descriptor) []byte {
	if c == nil || d.Digest.Validate() != nil {
		return nil
	}
	file := c.file(d.Digest.Encoded() + ".blob")
	b, ok := c.read(file)
	if ok && checkContent(d, b) == nil {
		c.hits.Add(1)
		c.touch(file)
		return b
	}
	if ok && digest.FromBytes(b) != d.Digest {
		_ = os.Remove(file) // damaged
	}
	c.misses.Add(1)
	return nil
}

// putBlob remembers a signature.
func (c *Cache) putBlob(d string, content []byte) {
	if c == nil || len(content) > MaxBundle || digest.FromBytes(content).String() != d {
		return
	}
	file := c.file(digest.Digest(d).Encoded() + ".blob")
	if info, err := os.Lstat(file); err == nil && info.Mode().IsRegular() && info.Size() == int64(len(content)) {
		c.touch(file)
		return
	}
	c.write(file, content)
}

func (c *Cache) manifestFile(repository, d string) string {
	sum := sha256.Sum256([]byte(repository + "@" + d))
	return c.file(hex.EncodeToString(sum[:]) + ".manifest")
}

// file spreads the files over 256 directories.
func (c *Cache) file(name string) string { return filepath.Join(c.dir, name[:2], name) }

func (c *Cache) read(file string) ([]byte, bool) {
	info, err := os.Lstat(file)
	if err != nil || !info.Mode().IsRegular() || info.Size() > MaxBundle+MaxManifest {
		return nil, false
	}
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it is a file that need not be waited for
	if err != nil {
		return nil, false
	}
	defer func() { _ = f.Close() }()
	b := make([]byte, info.Size())
	_, err = io.ReadFull(f, b)
	return b, err == nil
}

// touch keeps a file that is used from being the oldest.
func (c *Cache) touch(file string) {
	now := c.now()
	if info, err := os.Lstat(file); err == nil && now.Sub(info.ModTime()) > touchAfter {
		_ = os.Chtimes(file, now, now)
	}
}

// write makes a file appear whole or not at all.
func (c *Cache) write(file string, content []byte) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return
	}
	temp := filepath.Join(filepath.Dir(file), tempPrefix+rand.Text())
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(temp, file)
	}
	if err != nil {
		_ = os.Remove(temp)
		return
	}
	c.stored.Add(1)
}

// Pruned tells what a pruning removed and left.
type Pruned struct {
	Removed int   `json:"removed"` // files
	Freed   int64 `json:"freed"`   // bytes
	Files   int   `json:"files"`   // that are left
	Bytes   int64 `json:"bytes"`   // that are left
}

// entry is a file of the cache.
type entry struct {
	path string
	size int64
	used time.Time
}

// Prune removes what was not used for the longest time until the cache has at most limit bytes, and what killed
// processes left. A cache that is not there is empty. Files of others in the directory are left alone.
func (c *Cache) Prune(ctx context.Context, limit int64) (Pruned, error) {
	var p Pruned
	if c == nil {
		return p, nil
	}
	entries, err := c.entries(ctx)
	if err != nil {
		return p, fmt.Errorf("prune cache %s: %w", c.dir, err)
	}
	slices.SortFunc(entries, func(a, b entry) int { return a.used.Compare(b.used) })
	for _, e := range entries {
		p.Files, p.Bytes = p.Files+1, p.Bytes+e.size
	}
	for _, e := range entries {
		stale := strings.HasPrefix(filepath.Base(e.path), tempPrefix)
		if stale && c.now().Sub(e.used) < staleTemp || !stale && p.Bytes <= limit {
			continue
		}
		if err := os.Remove(e.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return p, fmt.Errorf("prune cache: %w", err)
		}
		p.Removed, p.Freed, p.Files, p.Bytes = p.Removed+1, p.Freed+e.size, p.Files-1, p.Bytes-e.size
	}
	return p, nil
}

func (c *Cache) entries(ctx context.Context) ([]entry, error) {
	var all []entry
	err := filepath.WalkDir(c.dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		name := d.Name()
		ours := strings.HasSuffix(name, ".blob") || strings.HasSuffix(name, ".manifest") || strings.HasSuffix(name, ".tag") || strings.HasPrefix(name, tempPrefix)
		if !d.Type().IsRegular() || !ours {
			return ctx.Err()
		}
		info, err := d.Info()
		if err != nil {
			return nil //nolint:nilerr // another process removed it
		}
		all = append(all, entry{path, info.Size(), info.ModTime()})
		return nil
	})
	return all, err
}
