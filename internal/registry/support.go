package registry

import (
	"crypto/sha256"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"oras.land/oras-go/v2/registry/remote/errcode"
)

// What is known of a registry's referrers API.
const (
	referrersUnknown int32 = iota
	referrersAPI
	referrersTag
)

// support is what this run learnt about the referrers API. Most registries are of one kind, so the first clear answer
// holds for all repositories; but some hosts have several registries behind them, so what a repository says of itself
// goes before.
type support struct {
	host  atomic.Int32
	repos sync.Map // repository → state
}

func (s *support) of(repository string) int32 {
	if own, ok := s.own(repository); ok {
		return own
	}
	return s.host.Load()
}

func (s *support) own(repository string) (int32, bool) {
	state, ok := s.repos.Load(repository)
	if !ok {
		return referrersUnknown, false
	}
	return state.(int32), true
}

func (s *support) learn(repository string, state int32) {
	s.repos.Store(repository, state)
	s.host.CompareAndSwap(referrersUnknown, state)
}

// saysMissing reports whether an answer says that the repository or the manifest does not exist. Such a 404 tells
// nothing about the API, unless the manifest is known to be there.
func saysMissing(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case errcode.ErrorCodeNameUnknown, errcode.ErrorCodeManifestUnknown, codeNotFound:
		return true
	}
	return false
}

// marks is a set of "this repository has this digest", as this run saw it. It is small: fleets are large.
type marks struct {
	mu  sync.Mutex
	set map[[sha256.Size]byte]struct{}
}

func markOf(repository, digest string) [sha256.Size]byte {
	return sha256.Sum256([]byte(repository + "@" + digest))
}

func (m *marks) add(repository, digest string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.set == nil {
		m.set = map[[sha256.Size]byte]struct{}{}
	}
	m.set[markOf(repository, digest)] = struct{}{}
}

func (m *marks) has(repository, digest string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.set[markOf(repository, digest)]
	return ok
}

func (m *marks) remove(repository, digest string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.set, markOf(repository, digest))
}

// believedFor bounds how long an answer of the registry is used for further questions: the look-ups that one app's
// plan or publish makes in a row.
const believedFor = 10 * time.Second

// recentMax is how many answers are kept before the old ones are swept out.
const recentMax = 4096

// recent keeps answers for a short while.
type recent[T any] struct {
	mu  sync.Mutex
	set map[string]dated[T]
}

type dated[T any] struct {
	at    time.Time
	value T
}

func (r *recent[T]) put(key string, now time.Time, value T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.set == nil {
		r.set = map[string]dated[T]{}
	}
	if len(r.set) >= recentMax {
		maps.DeleteFunc(r.set, func(_ string, d dated[T]) bool { return now.Sub(d.at) > believedFor })
	}
	r.set[key] = dated[T]{now, value}
}

func (r *recent[T]) get(key string, now time.Time) (T, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, ok := r.set[key]
	if !ok || now.Sub(d.at) > believedFor {
		delete(r.set, key)
		var none T
		return none, false
	}
	return d.value, true
}

// take is get for an answer that is used once.
func (r *recent[T]) take(key string, now time.Time) (T, bool) {
	v, ok := r.get(key, now)
	r.drop(key)
	return v, ok
}

func (r *recent[T]) drop(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.set, key)
}
