package gate

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/artifactctl/artifactctl/internal/render/cache"
)

// maxSchema bounds one schema.
const maxSchema = 32 << 20

// schemas finds schemas, each once a run. Results of gates name what they found, so that it can be told later whether
// they would find the same again.
type schemas struct {
	dir   string // what paths are relative to
	fetch fetcher
	cache *cache.Cache // of what was fetched; may be nil
	fleet map[string][]crd
	order []string // names of the apps, in order

	mu    sync.Mutex
	known map[string]func() source
}

// source is what a place has.
type source struct {
	content []byte // nil when there is no such schema
	digest  string
	err     error
}

// use is one look at a place: the digest of what was there, or none.
type use struct {
	Place  string `json:"place"`
	Digest string `json:"digest,omitempty"`
}

// The kinds of places.
const (
	placeURL  = "url:"
	placeFile = "file:"
	placeCRD  = "crd:"
)

// find returns the schema of a kind, nil when no place has one, and every place that was looked at.
func (s *schemas) find(ctx context.Context, c *conform, app, apiVersion, kind string) ([]byte, []use, error) {
	var uses []use
	if c.fleetCRDs {
		place := placeCRD + apiVersion + " " + kind
		found := s.custom(app, place, c.Strict)
		uses = append(uses, use{Place: place, Digest: found.digest})
		if found.err != nil || found.content != nil {
			return found.content, uses, found.err
		}
	}
	for _, l := range c.locations {
		name, err := l.name(apiVersion, kind, c.version, c.Strict)
		if err != nil {
			return nil, uses, err
		}
		place := placeFile + name
		if l.remote {
			place = placeURL + name
		}
		found := s.once(place, func() source { return s.load(ctx, place) })
		uses = append(uses, use{Place: place, Digest: found.digest})
		if found.err != nil || found.content != nil {
			return found.content, uses, found.err
		}
	}
	return nil, uses, nil
}

// hold tells whether the places have what they had. URLs are not asked.
func (s *schemas) hold(ctx context.Context, c *conform, app string, uses []use) bool {
	for _, u := range uses {
		var now source
		switch {
		case strings.HasPrefix(u.Place, placeURL):
			continue
		case strings.HasPrefix(u.Place, placeCRD):
			now = s.custom(app, u.Place, c.Strict)
		default:
			now = s.once(u.Place, func() source { return s.load(ctx, u.Place) })
		}
		if now.err != nil || now.digest != u.Digest {
			return false
		}
	}
	return true
}

// once calls find the first time that it is asked for a key. Other callers wait.
func (s *schemas) once(key string, find func() source) source {
	s.mu.Lock()
	known := s.known[key]
	if known == nil {
		known = sync.OnceValue(find)
		s.known[key] = known
	}
	s.mu.Unlock()
	return known()
}

func found(content []byte) source {
	sum := sha256.Sum256(content)
	return source{content: content, digest: "sha256:" + hex.EncodeToString(sum[:])}
}

// custom returns the schema that the fleet itself has for a kind: the app's own, or that of the first app with one.
func (s *schemas) custom(app, place string, strict bool) source {
	for _, owner := range append([]string{app}, s.order...) {
		for _, c := range s.fleet[owner] {
			if placeCRD+c.APIVersion+" "+c.Kind != place {
				continue
			}
			return s.once(fmt.Sprintf("%s %s %t", place, owner, strict), func() source {
				content, err := c.jsonSchema(strict)
				if err != nil {
					return source{err: fmt.Errorf("read the schema of %s %s, which %s defines: %w", c.APIVersion, c.Kind, owner, err)}
				}
				return found(content)
			})
		}
	}
	return source{}
}

// load reads a file, or gets a URL.
func (s *schemas) load(ctx context.Context, place string) source {
	if url, ok := strings.CutPrefix(place, placeURL); ok {
		return s.get(ctx, url)
	}
	name := filepath.FromSlash(strings.TrimPrefix(place, placeFile))
	if !filepath.IsAbs(name) {
		name = filepath.Join(s.dir, name)
	}
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return source{}
	case err != nil:
		return source{err: fmt.Errorf("read schema: %w", err)}
	case !info.Mode().IsRegular() || info.Size() > maxSchema:
		return source{err: fmt.Errorf("read schema %s: not a regular file of at most %d MiB", name, maxSchema>>20)}
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return source{err: fmt.Errorf("read schema: %w", err)}
	}
	if err := checkSchema(content); err != nil {
		return source{err: fmt.Errorf("schema %s: %w", name, err)}
	}
	return found(content)
}

// get returns a schema from the cache, or from the network. That there is none is not remembered beyond the run.
func (s *schemas) get(ctx context.Context, url string) source {
	content, kept := s.recall(url)
	if kept {
		return found(content)
	}
	started := time.Now()
	content, err := s.fetch.get(ctx, url)
	if err != nil {
		return source{err: err}
	}
	if content == nil {
		return source{}
	}
	if err := checkSchema(content); err != nil {
		return source{err: &unreachable{err: fmt.Errorf("schema %s: %w", shown(url), err)}}
	}
	if s.cache != nil {
		s.cache.Put(s.cache.KeyOf("schema", url), cache.Entry{Cost: time.Since(started)}, content)
	}
	return found(content)
}

func (s *schemas) recall(url string) ([]byte, bool) {
	if s.cache == nil {
		return nil, false
	}
	key := s.cache.KeyOf("schema", url)
	for entry := range s.cache.Entries(key) {
		return s.cache.Result(key, entry)
	}
	return nil, false
}

// checkSchema refuses what is no JSON object, and a schema that refers to others: kubeconform would get those by itself,
// without a limit of time.
func checkSchema(content []byte) error {
	var root map[string]any
	decoder := json.NewDecoder(bytes.NewReader(content))
	if err := decoder.Decode(&root); err != nil || root == nil || decoder.More() {
		return errors.New("not a JSON object")
	}
	if ref := outsideRef(root); ref != "" {
		return &dependent{ref: ref}
	}
	return nil
}

// outsideRef returns the first reference that leads out of the schema.
func outsideRef(v any) string {
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok && !strings.HasPrefix(ref, "#") {
			return ref
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if ref := outsideRef(v[key]); ref != "" {
				return ref
			}
		}
	case []any:
		for _, below := range v {
			if ref := outsideRef(below); ref != "" {
				return ref
			}
		}
	}
	return ""
}

// dependent is a schema that does not stand alone.
type dependent struct{ ref string }

func (d *dependent) Error() string { return fmt.Sprintf("it refers to %q", d.ref) }

// Hint returns what to do.
func (d *dependent) Hint() string {
	return "give a location of standalone schemas, with all that they refer to inside"
}
