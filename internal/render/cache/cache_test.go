package cache

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

func open(t testing.TB, dir string, o Options) *Cache {
	t.Helper()
	c, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func closeIt(t testing.TB, c *Cache) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func entry(inputs string) Entry {
	return Entry{
		Renderer: sha256.Sum256([]byte("renderer")), Inputs: []byte(inputs), Warnings: []string{"old", ""}, Cost: 3 * time.Second,
	}
}

// lookUp returns the result of the first entry of an app.
func lookUp(c *Cache, k Key) (content []byte, ok bool) {
	for e := range c.Entries(k) {
		return c.Result(k, e)
	}
	return nil, false
}

func inputsOf(c *Cache, k Key) (inputs []string) {
	for e := range c.Entries(k) {
		inputs = append(inputs, string(e.Inputs))
	}
	return inputs
}

func TestEntriesComeBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "cache")
	c := open(t, dir, Options{})
	k := c.KeyOf("app", "a")
	if k == c.KeyOf("appa", "") || k == c.KeyOf("app", "a", "") {
		t.Error("keys are not of fields")
	}
	if _, ok := lookUp(c, k); ok {
		t.Error("a new cache is not empty")
	}
	c.Put(k, entry("1"), []byte("one"))
	closeIt(t, c)

	c = open(t, dir, Options{}) // another run
	defer closeIt(t, c)
	for e := range c.Entries(k) {
		want := entry("1")
		if want.Result = sha256.Sum256([]byte("one")); e.Renderer != want.Renderer || e.Result != want.Result || e.Cost != want.Cost ||
			!slices.Equal(e.Warnings, want.Warnings) || !bytes.Equal(e.Inputs, want.Inputs) {
			t.Errorf("got %+v", e)
		}
	}
	if content, ok := lookUp(c, k); !ok || string(content) != "one" {
		t.Errorf("got %q", content)
	}
	for i := range 2 * maxEntries {
		c.Put(k, entry(fmt.Sprint(i)), []byte("one"))
		c.Put(k, entry(fmt.Sprint(i)), []byte("one"))
		for e := range c.Entries(k) { // what is used stays
			if string(e.Inputs) == "1" {
				c.Result(k, e)
			}
		}
	}
	if got := inputsOf(c, k); len(got) != maxEntries || got[0] != "1" || got[1] != fmt.Sprint(2*maxEntries-1) {
		t.Errorf("got %q", got)
	}
	if stats, err := c.Stats(); err != nil || stats.Apps != 1 || stats.Results != 1 || stats.Bytes != 2*blockSize || stats.Limit != DefaultLimit {
		t.Errorf("got %+v, %v", stats, err)
	}
}

func TestFilesAreForTheirOwner(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no modes here")
	}
	dir := filepath.Join(t.TempDir(), "cache")
	c := open(t, dir, Options{})
	c.Put(c.KeyOf("a"), entry("1"), []byte("secret"))
	closeIt(t, c)
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %s", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, exposed := range []string{dir, filepath.Join(dir, appsDir), filepath.Join(dir, resultsDir)} {
		if err := os.Chmod(exposed, 0o770); err != nil {
			t.Fatal(err)
		}
		var hint interface{ Hint() string }
		if _, err := Open(dir, Options{}); !errors.As(err, &hint) || hint.Hint() == "" {
			t.Errorf("%s: got %v", exposed, err)
		}
		if err := os.Chmod(exposed, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	closeIt(t, open(t, dir, Options{}))
	if _, err := Open(filepath.Join(dir, tagFile), Options{}); err == nil {
		t.Error("a file is a cache")
	}
}

// Whatever happens to its files, a cache answers with what was stored or not at all, and works afterwards.
func TestDamage(t *testing.T) {
	content := bytes.Repeat([]byte("content\n"), 100)
	for name, damage := range map[string]func(path string, content []byte) error{
		"flipped": func(path string, content []byte) error {
			content[len(content)/2] ^= 1
			return os.WriteFile(path, content, 0o600)
		},
		"truncated": func(path string, content []byte) error { return os.WriteFile(path, content[:len(content)-1], 0o600) },
		"longer":    func(path string, content []byte) error { return os.WriteFile(path, append(content, 'x'), 0o600) },
		"empty":     func(path string, _ []byte) error { return os.WriteFile(path, nil, 0o600) },
		"gone":      func(path string, _ []byte) error { return os.Remove(path) },
		"directory": func(path string, _ []byte) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) },
		"link": func(path string, content []byte) error {
			return errors.Join(os.WriteFile(path+"x", content, 0o600), os.Remove(path), os.Symlink(path+"x", path))
		},
	} {
		for _, part := range []string{appsDir, resultsDir} {
			t.Run(name+"/"+part, func(t *testing.T) {
				if name == "link" && runtime.GOOS == "windows" {
					t.Skip("no symbolic links here")
				}
				dir := filepath.Join(t.TempDir(), "cache")
				c := open(t, dir, Options{})
				defer closeIt(t, c)
				k := c.KeyOf("a")
				c.Put(k, entry("1"), content)
				files, err := filepath.Glob(filepath.Join(dir, part, "*"))
				if err != nil || len(files) != 1 {
					t.Fatalf("%q, %v", files, err)
				}
				old, err := os.ReadFile(files[0])
				if err != nil {
					t.Fatal(err)
				}
				if err := damage(files[0], old); err != nil {
					t.Fatal(err)
				}
				if got, ok := lookUp(c, k); ok {
					t.Errorf("got %q", got)
				}
				if _, err := os.Lstat(files[0]); !os.IsNotExist(err) {
					t.Errorf("the damage is kept: %v", err)
				}
				c.Put(k, entry("1"), content)
				if got, ok := lookUp(c, k); !ok || !bytes.Equal(got, content) {
					t.Errorf("got %q", got)
				}
			})
		}
	}
}

// Who has another key, or none, can neither read nor make entries.
func TestKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	ours, none, theirs := open(t, dir, Options{Key: []byte("k")}), open(t, dir, Options{}), open(t, dir, Options{Key: []byte("x")})
	k := ours.KeyOf("a")
	for _, other := range []*Cache{none, theirs} {
		if other.KeyOf("a") == k {
			t.Error("the name tells what it is of")
		}
		other.Put(k, entry("1"), []byte("forged")) // they have seen the name of the file
		if got, ok := lookUp(ours, k); ok {
			t.Errorf("got %q", got)
		}
		closeIt(t, other)
	}
	ours.Put(k, entry("1"), []byte("right"))
	if got, ok := lookUp(ours, k); !ok || string(got) != "right" {
		t.Errorf("got %q", got)
	}
	closeIt(t, ours)
}

func TestLeastRecentlyUsedGoesFirst(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	c := open(t, dir, Options{})
	now := time.Now()
	keys := make([]Key, 10)
	for i := range keys {
		keys[i] = c.KeyOf(fmt.Sprint(i))
		c.Put(keys[i], entry("1"), fmt.Append(nil, i))
	}
	age := func(age time.Duration) {
		t.Helper()
		files, err := c.files()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if err := f.in.Chtimes(f.name, now, now.Add(-age)); err != nil {
				t.Fatal(err)
			}
		}
	}
	age(time.Hour)
	for _, i := range []int{2, 7} {
		if _, ok := lookUp(c, keys[i]); !ok {
			t.Fatal("not there")
		}
	}
	for name, age := range map[string]time.Duration{tempPrefix + "young": 0, tempPrefix + "old": 2 * tempAge, "README": 9 * tempAge} {
		path := filepath.Join(dir, resultsDir, name)
		if err := errors.Join(os.WriteFile(path, []byte("x"), 0o600), os.Chtimes(path, now, now.Add(-age))); err != nil {
			t.Fatal(err)
		}
	}
	c.limit = 6 * blockSize
	closeIt(t, c)

	c = open(t, dir, Options{})
	defer closeIt(t, c)
	for i, k := range keys {
		if _, ok := lookUp(c, k); ok != (i == 2 || i == 7) {
			t.Errorf("app %d is there: %t", i, ok)
		}
	}
	if stats, err := c.Stats(); err != nil || stats.Apps != 2 || stats.Results != 2 || stats.Bytes != 5*blockSize {
		t.Errorf("got %+v, %v", stats, err)
	}
	if p, err := c.Prune(0); err != nil || p != (Pruned{Files: 4, Bytes: 4 * blockSize}) {
		t.Errorf("pruned %+v, %v", p, err)
	}
	if _, err := os.Stat(filepath.Join(dir, resultsDir, "README")); err != nil {
		t.Error(err)
	}
}

// A render never fails because it cannot be kept; the reason comes at the end.
func TestCacheThatCannotBeWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	c := open(t, dir, Options{})
	if err := os.RemoveAll(filepath.Join(dir, resultsDir)); err != nil {
		t.Skip("an open directory cannot be removed here")
	}
	c.Put(c.KeyOf("a"), entry("1"), []byte("x"))
	if err := c.Close(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestConcurrentUse(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	var group errgroup.Group
	for worker := range 4 {
		group.Go(func() error {
			c, err := Open(dir, Options{})
			if err != nil {
				return err
			}
			for i := range 60 {
				k := c.KeyOf(fmt.Sprint(i % 3))
				c.Put(k, entry(fmt.Sprint(i)), fmt.Append(nil, i))
				for e := range c.Entries(k) {
					if content, ok := c.Result(k, e); ok && string(content) != string(e.Inputs) {
						t.Errorf("got %q for %q", content, e.Inputs)
					}
				}
				if i%10 == worker {
					if _, err := c.Prune(int64(i) * blockSize / 4); err != nil {
						return err
					}
				}
			}
			return c.Close()
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

func FuzzCutEntry(f *testing.F) {
	f.Add(appendEntry(nil, entry("1")))
	f.Add(appendEntry(appendEntry(nil, Entry{}), entry("2")))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		e, rest, ok := cutEntry(data)
		if !ok {
			return
		}
		if len(rest) >= len(data) {
			t.Error("nothing was read")
		}
		again, rest, ok := cutEntry(appendEntry(nil, e))
		if !ok || len(rest) > 0 || again.Result != e.Result || !bytes.Equal(again.Inputs, e.Inputs) || !slices.Equal(again.Warnings, e.Warnings) {
			t.Errorf("got %+v, want %+v", again, e)
		}
	})
}
