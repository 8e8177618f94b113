package render

import (
	"cmp"
	"context"
	"crypto/sha256"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/render/cache"
	"github.com/artifactctl/artifactctl/internal/render/inputs"
	"github.com/artifactctl/artifactctl/internal/render/worker"
)

// memory is what a pool knows from earlier runs: a cache, and the working tree to compare it with. A nil memory knows
// nothing.
type memory struct {
	cache     *cache.Cache
	renderer  [sha256.Size]byte // identity of the workers, with all that they are told once
	snapshots *snapshots
	looked    sync.Map // cache.Key → *cache.Entry: what Order found to hold, nil for nothing, until it is used
}

// newMemory returns the memory of a pool. Without a cache, or without a worker that could be known again, there is none.
func newMemory(o PoolOptions, s *snapshots) *memory {
	if o.Cache == nil || len(o.Command) == 0 {
		return nil
	}
	program, err := identify(o.Command[0])
	if err != nil {
		return nil // starting it will say why
	}
	fields := slices.Concat([]string{program, KustomizeVersion, strconv.Itoa(worker.Protocol)}, o.Command[1:], []string{""}, o.Env)
	return &memory{cache: o.Cache, renderer: o.Cache.KeyOf(fields...), snapshots: s}
}

// snapshots holds one look at each root for all apps.
type snapshots struct {
	mu     sync.Mutex
	byRoot map[string]*inputs.Snapshot
}

func (s *snapshots) of(root string) (*inputs.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.byRoot[root]; known != nil {
		return known, nil
	}
	snapshot, err := inputs.NewSnapshot(root)
	if err == nil {
		s.byRoot[root] = snapshot
	}
	return snapshot, err
}

// key names an app by what is asked for, without what may change; ok is false for what is never kept: a directory as it
// stands is read as fast as it is compared, and helm reads what nobody records.
func (m *memory) key(r Request) (key cache.Key, ok bool) {
	name, err := filepath.Rel(r.Root, r.Dir)
	if m == nil || r.Mode == Tree || r.Helm || err != nil || !filepath.IsLocal(name) {
		return cache.Key{}, false
	}
	return m.cache.KeyOf("app", filepath.ToSlash(name), string(Kustomize), strconv.FormatBool(r.RemoteBases)), true
}

// recall returns the result of an earlier render that asked nothing but what has the same answer now.
func (m *memory) recall(r Request) (Result, bool) {
	key, ok := m.key(r)
	if !ok {
		return Result{}, false
	}
	entry, ok := m.held(r, key)
	if !ok {
		return Result{}, false
	}
	yaml, ok := m.cache.Result(key, entry)
	if !ok {
		return Result{}, false
	}
	return Result{Files: artifact.Files{artifact.ManifestsFile: yaml}, Warnings: entry.Warnings, Cached: true, record: entry.Inputs}, true
}

// entry returns the newest entry that holds.
func (m *memory) entry(r Request, key cache.Key) (cache.Entry, []inputs.Input, bool) {
	for entry := range m.cache.Entries(key) {
		if record, ok := m.holds(r, entry); ok {
			return entry, record, true
		}
	}
	return cache.Entry{}, nil, false
}

// holds tells whether all that an entry's render asked has the same answer now.
func (m *memory) holds(r Request, entry cache.Entry) ([]inputs.Input, bool) {
	if entry.Renderer != m.renderer {
		return nil, false
	}
	snapshot, err := m.snapshots.of(r.Root)
	if err != nil {
		return nil, false
	}
	record, err := inputs.Decode(entry.Inputs)
	return record, err == nil && len(record) > 0 && snapshot.Holds(record)
}

// look finds out ahead of time whether there is an entry that holds, and keeps that for whoever asks next. It returns
// what the app's last render cost, if that is known.
func (m *memory) look(r Request, key cache.Key) (cost time.Duration, known, held bool) {
	for entry := range m.cache.Entries(key) {
		if !known {
			cost, known = entry.Cost, true
		}
		if _, held = m.holds(r, entry); held {
			m.looked.Store(key, &entry)
			return cost, known, held
		}
	}
	m.looked.Store(key, (*cache.Entry)(nil))
	return cost, known, false
}

// held is entry for an app that look may have looked at.
func (m *memory) held(r Request, key cache.Key) (cache.Entry, bool) {
	if known, ok := m.looked.LoadAndDelete(key); ok {
		entry := known.(*cache.Entry)
		if entry == nil {
			return cache.Entry{}, false
		}
		return *entry, true
	}
	entry, _, ok := m.entry(r, key)
	return entry, ok
}

// keep stores what a worker answered.
func (m *memory) keep(r Request, response worker.Response, cost time.Duration) {
	key, ok := m.key(r)
	if !ok || response.Last || len(response.Inputs) == 0 {
		return
	}
	m.cache.Put(key, cache.Entry{
		Renderer: m.renderer, Inputs: response.Inputs, Warnings: response.Warnings, Cost: cost,
	}, response.YAML)
}

// Inputs returns the paths, relative to r.Root, that the app's files depend on as things stand. ok is false when that is
// not known: the app is not in the cache as it is now, or it depends on more than files in the root. It renders nothing.
func (p *Pool) Inputs(r Request) (set inputs.Set, ok bool) {
	name, err := filepath.Rel(r.Root, r.Dir)
	if err != nil || !filepath.IsLocal(name) {
		return inputs.Set{}, false
	}
	snapshot, err := p.snapshots.of(r.Root)
	if err != nil {
		return inputs.Set{}, false
	}
	if r.Mode == Tree {
		set, err = snapshot.Directory(filepath.ToSlash(name))
		return set, err == nil
	}
	key, ok := p.memory().key(r)
	if !ok {
		return inputs.Set{}, false
	}
	_, record, ok := p.memory().entry(r, key)
	if !ok {
		return inputs.Set{}, false
	}
	set, err = snapshot.Set(record)
	return set, err == nil
}

// Cost returns how long the last render of an app took on the machine that did it; ok is false when that is not known.
func (p *Pool) Cost(r Request) (cost time.Duration, ok bool) {
	key, ok := p.memory().key(r)
	if !ok {
		return 0, false
	}
	for entry := range p.memory().cache.Entries(key) {
		return entry.Cost, true
	}
	return 0, false
}

// Order returns the indices of requests: first those that have to be rendered, the longest render before the others, so
// that no long one begins when the others are done; then those whose result is in the cache. Where the cost is not
// known, the bytes in the app's own directory stand for it.
func (p *Pool) Order(ctx context.Context, requests []Request) []int {
	costs := make([]time.Duration, len(requests))
	order := make([]int, len(requests))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, r := range requests {
		order[i] = i
		group.Go(func() error {
			costs[i] = p.expect(ctx, r)
			return nil
		})
	}
	_ = group.Wait()
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(costs[b], costs[a]) })
	return order
}

// expect returns what a render is going to cost, as far as anybody can tell; nothing when it is in the cache.
func (p *Pool) expect(ctx context.Context, r Request) time.Duration {
	if key, ok := p.memory().key(r); ok {
		if cost, known, held := p.memory().look(r, key); held {
			return 0
		} else if known {
			return cost
		}
	}
	return estimate(ctx, r)
}

// What a render is taken to cost: kustomize needs about a second for a megabyte.
const (
	costOfByte   = time.Microsecond
	maxEstimated = 10_000 // files; beyond that, an app is long anyway
)

func estimate(ctx context.Context, r Request) time.Duration {
	var bytes int64
	files := 0
	_ = filepath.WalkDir(r.Dir, func(_ string, d fs.DirEntry, err error) error {
		if files++; err != nil || ctx.Err() != nil || files > maxEstimated {
			return fs.SkipAll
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			bytes += info.Size()
		}
		return nil
	})
	return time.Duration(bytes) * costOfByte
}
