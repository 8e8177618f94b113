package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// blockSize is the unit in which file systems give out space: a cache of small files takes more than their bytes.
const blockSize = 4 << 10

// Stats is what a cache holds.
type Stats struct {
	Apps    int   `json:"apps"`    // that have entries
	Results int   `json:"results"` // rendered outputs
	Bytes   int64 `json:"bytes"`   // on disk, about
	Limit   int64 `json:"limit"`
	// LastUse is when the entry was used that would be dropped first; zero when the cache is empty.
	LastUse time.Time `json:"lastUse"`
}

// Pruned is what Prune removed.
type Pruned struct {
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
}

// file is a file of the cache.
type file struct {
	in   *os.Root
	name string
	size int64 // on disk
	used time.Time
}

func (f file) temporary() bool { return strings.HasPrefix(f.name, tempPrefix) }

// Stats counts.
func (c *Cache) Stats() (Stats, error) {
	files, err := c.files()
	if err != nil {
		return Stats{}, fmt.Errorf("look into render cache: %w", err)
	}
	s := Stats{Limit: c.limit}
	for _, f := range files {
		s.Bytes += f.size
		switch {
		case f.temporary():
			continue
		case f.in == c.apps:
			s.Apps++
		default:
			s.Results++
		}
		if s.LastUse.IsZero() || f.used.Before(s.LastUse) {
			s.LastUse = f.used
		}
	}
	return s, nil
}

// Prune removes what was used least recently until the cache takes no more than limit bytes; 0 empties it. It may run
// beside anything else: what it removes under a reader is a miss.
func (c *Cache) Prune(limit int64) (Pruned, error) {
	files, err := c.files()
	if err != nil {
		return Pruned{}, fmt.Errorf("look into render cache: %w", err)
	}
	var total int64
	for _, f := range files {
		total += f.size
	}
	keep := total
	if total > limit {
		keep = limit - limit/10 // room for some runs, so that not every one has to prune
	}
	slices.SortFunc(files, func(a, b file) int { return a.used.Compare(b.used) })
	var p Pruned
	var errs []error
	now := time.Now()
	for _, f := range files {
		enough := total-p.Bytes <= keep
		if f.temporary() { // somebody writes it, or has died over it
			enough = now.Sub(f.used) < tempAge
		}
		if enough {
			continue
		}
		if err := f.in.Remove(f.name); err != nil {
			if !errors.Is(err, fs.ErrNotExist) { // another process was faster
				errs = append(errs, fmt.Errorf("prune render cache: %w", err))
			}
			continue
		}
		p.Files++
		p.Bytes += f.size
	}
	return p, errors.Join(errs...)
}

// files lists all files of the cache. Nothing else that may lie in its directories is touched.
func (c *Cache) files() ([]file, error) {
	var files []file
	for _, in := range []*os.Root{c.apps, c.results} {
		entries, err := fs.ReadDir(in.FS(), ".")
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			info, err := e.Info()
			if err != nil || !ours(e.Name()) || info.IsDir() {
				continue
			}
			size := (info.Size() + blockSize - 1) / blockSize * blockSize
			files = append(files, file{in: in, name: e.Name(), size: size, used: info.ModTime()})
		}
	}
	return files, nil
}

// ours tells whether a cache makes files of this name.
func ours(name string) bool {
	if strings.HasPrefix(name, tempPrefix) {
		return true
	}
	raw, err := hex.DecodeString(name)
	return err == nil && len(raw) == sha256.Size
}
