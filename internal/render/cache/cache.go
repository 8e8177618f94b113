// Package cache keeps rendered apps on disk: for each app the last few records of what a render depended on, and what
// came out. It makes runs faster and nothing else; an entry that is missing, damaged or of somebody else's making is a
// miss. It does not judge whether a record still holds (package inputs does), and it does not render.
//
// A render may contain Secrets, and it is kept as it is published: in the clear. It holds nothing that the working tree
// and the artifact do not, so files are for their owner only (0600 below a directory of 0700), and a cache that CI
// stores should be readable by those only who may read the artifacts. Whoever may write a cache decides what a run
// publishes from it; a key (Options.Key) keeps out everybody who does not have it.
package cache

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Limits.
const (
	DefaultLimit = 1 << 30  // bytes, of a whole cache
	MaxResult    = 64 << 20 // bytes of one result; a larger one is not kept
	maxIndex     = 4 << 20  // bytes of the file that holds an app's entries
	maxEntries   = 8        // of one app: as many branches can take turns
	tempAge      = time.Hour
	useInterval  = 10 * time.Minute // uses within it are not noted one by one
)

// Names in the directory of a cache.
const (
	appsDir    = "apps"    // one file an app, named by its key
	resultsDir = "results" // named by the digest of the content
	tempPrefix = "tmp-"
	tagFile    = "CACHEDIR.TAG"
	tagContent = "Signature: 8a477f597d28d172789f06886806bc55\n" +
		"# Rendered apps; artifactctl makes them again when they are gone. https://bford.info/cachedir/\n"
)

// Options of a cache.
type Options struct {
	// Limit is how many bytes on disk the cache may take; 0 means DefaultLimit. It is enforced by Close.
	Limit int64
	// Key seals entries: a cache made with another key, or none, is of no use. Empty means no key: then whoever can write
	// the directory can make entries.
	Key []byte
}

// Cache is an open cache. It is safe for concurrent use, by many processes, too.
type Cache struct {
	limit   int64
	key     []byte
	apps    *os.Root
	results *os.Root

	mu      sync.Mutex
	stored  bool
	problem error // the first that storing met
}

// Open opens the cache in dir, and makes it if there is none. It refuses a directory that others may write to; the
// error has a hint.
func Open(dir string, o Options) (*Cache, error) {
	c := &Cache{limit: o.Limit, key: o.Key}
	if c.limit <= 0 {
		c.limit = DefaultLimit
	}
	if err := c.open(dir); err != nil {
		return nil, errors.Join(fmt.Errorf("open render cache %s: %w", dir, err), c.release())
	}
	return c, nil
}

func (c *Cache) open(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := private(dir); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	for name, handle := range map[string]**os.Root{appsDir: &c.apps, resultsDir: &c.results} {
		if err := root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := private(filepath.Join(dir, name)); err != nil {
			return err
		}
		if *handle, err = root.OpenRoot(name); err != nil {
			return err
		}
	}
	if _, err := root.Lstat(tagFile); errors.Is(err, fs.ErrNotExist) { // for backup programs; of no matter to us
		_ = root.WriteFile(tagFile, []byte(tagContent), 0o600)
	}
	return nil
}

// Close brings the cache below its limit, if anything was stored, and returns the first problem that storing met.
func (c *Cache) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.problem
	if c.stored {
		_, pruneErr := c.Prune(c.limit)
		err = errors.Join(err, pruneErr)
	}
	if err != nil {
		err = fmt.Errorf("render cache: %w", err)
	}
	return errors.Join(err, c.release())
}

func (c *Cache) release() error {
	var errs []error
	for _, handle := range []*os.Root{c.apps, c.results} {
		if handle != nil {
			errs = append(errs, handle.Close())
		}
	}
	return errors.Join(errs...)
}

// Key names an app.
type Key [sha256.Size]byte

// KeyOf returns the key of what the fields describe. It tells nothing about them to those who do not have the cache's
// own key.
func (c *Cache) KeyOf(fields ...string) Key {
	var b []byte
	for _, field := range fields {
		b = appendBytes(b, field)
	}
	return Key(c.seal(b))
}

func (c *Cache) seal(b []byte) []byte {
	mac := hmac.New(sha256.New, c.key)
	mac.Write(b)
	return mac.Sum(nil)
}

func (k Key) name() string { return hex.EncodeToString(k[:]) }

// Entries returns what is known about an app, what was used or stored last first.
func (c *Cache) Entries(k Key) iter.Seq[Entry] {
	body := c.index(k)
	return func(yield func(Entry) bool) {
		rest := body
		for rank := 0; len(rest) > 0; rank++ {
			e, after, ok := cutEntry(rest)
			e.rank, rest = rank, after
			if !ok || !yield(e) {
				return
			}
		}
	}
}

// index returns the content of an app's file without its seal. A file with a wrong one is removed.
func (c *Cache) index(k Key) []byte {
	content, err := read(c.apps, k.name(), maxIndex)
	if err == nil && len(content) >= sha256.Size {
		seal, body := content[:sha256.Size], content[sha256.Size:]
		if hmac.Equal(seal, c.seal(body)) {
			return body
		}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		_ = c.apps.Remove(k.name())
	}
	return nil
}

// Result returns the content of an entry of app k, and notes that it was of use. A result that is not what it was when
// it was stored is removed.
func (c *Cache) Result(k Key, e Entry) ([]byte, bool) {
	name := hex.EncodeToString(e.Result[:])
	content, err := read(c.results, name, MaxResult)
	if err != nil || sha256.Sum256(content) != e.Result {
		if !errors.Is(err, fs.ErrNotExist) {
			_ = c.results.Remove(name)
		}
		return nil, false
	}
	c.used(c.results, name)
	if e.rank == 0 {
		c.used(c.apps, k.name())
	} else {
		_ = c.first(k, e) // it would only have been found sooner
	}
	return content, true
}

// used notes the time of use in the only place that needs no writing. A cache that cannot be written is fine, too.
func (c *Cache) used(in *os.Root, name string) {
	info, err := in.Lstat(name)
	now := time.Now()
	if err == nil && now.Sub(info.ModTime()) > useInterval {
		_ = in.Chtimes(name, now, now)
	}
}

// Put stores an entry of app k as its first; e.Result is filled in. A problem is kept for Close: a render is good
// whether it can be stored or not.
func (c *Cache) Put(k Key, e Entry, content []byte) {
	if len(content) > MaxResult {
		return
	}
	e.Result = sha256.Sum256(content)
	err := c.put(k, e, content)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stored = true
	if c.problem == nil && err != nil {
		c.problem = fmt.Errorf("store: %w", err)
	}
}

func (c *Cache) put(k Key, e Entry, content []byte) error {
	name := hex.EncodeToString(e.Result[:])
	if info, err := c.results.Lstat(name); err == nil && info.Size() == int64(len(content)) {
		c.used(c.results, name)
	} else if err := write(c.results, name, content); err != nil {
		return err
	}
	return c.first(k, e)
}

// first makes e the first entry of app k; the last ones give way.
func (c *Cache) first(k Key, e Entry) error {
	body := appendEntry(nil, e)
	kept := 1
	for old := range c.Entries(k) {
		if old.Renderer == e.Renderer && string(old.Inputs) == string(e.Inputs) {
			continue
		}
		longer := appendEntry(body, old)
		if kept == maxEntries || len(longer) > maxIndex-sha256.Size {
			break
		}
		body, kept = longer, kept+1
	}
	if len(body) > maxIndex-sha256.Size {
		return nil
	}
	return write(c.apps, k.name(), append(c.seal(body), body...))
}

// read reads a regular file that is not too big.
func read(in *os.Root, name string, limit int64) ([]byte, error) {
	info, err := in.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, errors.New("not a file of this cache")
	}
	f, err := in.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it is a file that need not be waited for
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	content := make([]byte, info.Size())
	_, err = io.ReadFull(f, content)
	return content, err
}

// write puts a file in place in one step, so that others see all of it or nothing.
func write(in *os.Root, name string, content []byte) error {
	temp := tempPrefix + rand.Text()
	f, err := in.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err == nil {
		err = in.Rename(temp, name)
	}
	if err != nil {
		return errors.Join(err, in.Remove(temp))
	}
	return nil
}
