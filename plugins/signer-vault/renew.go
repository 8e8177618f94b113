package main

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

const (
	// leastPause is between two trials to keep a token valid that went wrong.
	leastPause = time.Second
	// revokePatience bounds how long the end of the process may take for revoking. The host waits two seconds.
	revokePatience = time.Second
	never          = time.Duration(math.MaxInt64)
)

// tokens are Vault's operations on tokens that the plugin obtained.
type tokens interface {
	do(ctx context.Context) (lease, error)
	renew(ctx context.Context, token string) (time.Duration, error)
	alive(ctx context.Context, token string) bool
	revoke(ctx context.Context, token string) error
}

// errAlive: a denial has nothing to do with the token's life.
var errAlive = errors.New("the token is valid")

// session keeps a valid token for as long as the plugin runs. One goroutine does all of it: it renews the token when two
// thirds of its time are over, logs in anew when it cannot be renewed or comes to the end of its longest life, and
// answers requests that were denied in between. A token is replaced, not ended, while others use it; all that were
// obtained are revoked at the end.
type session struct {
	tokens  tokens
	use     func(token string) // makes requests carry it
	denials chan denial
	stop    context.CancelFunc
	done    chan struct{}
	issued  []lease // belongs to the goroutine
	failure error   // of the end, once done is closed
}

// denial asks for another token than the one that was used.
type denial struct {
	used   string
	ended  bool       // the server said that the token is invalid
	answer chan error // holds one
}

// startSession logs in. The session lasts until close, not until ctx is done.
func startSession(ctx context.Context, t tokens, use func(token string)) (*session, error) {
	first, err := t.do(ctx)
	if err != nil {
		return nil, err
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &session{tokens: t, use: use, denials: make(chan denial), stop: stop, done: make(chan struct{}), issued: []lease{first}}
	use(first.token)
	go s.keep(life, first)
	return s, nil
}

func (s *session) keep(ctx context.Context, current lease) {
	defer close(s.done)
	timer := time.NewTimer(current.due())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			s.failure = s.revoke(context.WithoutCancel(ctx))
			return
		case <-timer.C:
			var pause time.Duration
			current, pause = s.refresh(ctx, current)
			timer.Reset(pause)
		case d := <-s.denials:
			current = s.replace(ctx, current, d)
			timer.Reset(current.due())
		}
	}
}

// due is when to do something about a lease: when two thirds of what is left of it are over.
func (l lease) due() time.Duration {
	if l.full <= 0 {
		return never
	}
	return max(time.Until(l.ends)*2/3, 0)
}

// refresh renews the token or replaces it, and returns when to look again.
func (s *session) refresh(ctx context.Context, l lease) (lease, time.Duration) {
	if l.renewable {
		ttl, err := s.tokens.renew(ctx, l.token)
		if err == nil {
			l = l.until(ttl)
			s.note(l)
		}
		if err == nil && 2*ttl >= l.full { // else it comes to its max TTL
			return l, l.due()
		}
		if errors.Is(err, signer.ErrUnavailable) {
			return l, l.pause()
		}
	}
	next, err := s.login(ctx)
	if err != nil {
		return l, l.pause()
	}
	return next, next.due()
}

// pause is how long to wait after something went wrong. When the token is over, nothing is done until a request needs
// one, and hears what is wrong.
func (l lease) pause() time.Duration {
	left := time.Until(l.ends)
	if left <= 0 {
		return never
	}
	return max(left/3, leastPause)
}

func (s *session) login(ctx context.Context) (lease, error) {
	next, err := s.tokens.do(ctx)
	if err != nil {
		return lease{}, err
	}
	now := time.Now()
	kept := s.issued[:0]
	for _, l := range s.issued {
		if l.full <= 0 || l.ends.After(now) {
			kept = append(kept, l)
		}
	}
	s.issued = append(kept, next)
	s.use(next.token)
	return next, nil
}

// note keeps what is known of an issued token up to date.
func (s *session) note(l lease) {
	for i := range s.issued {
		if s.issued[i].token == l.token {
			s.issued[i] = l
		}
	}
}

// replace answers a denial, and all that wait for the same answer: one login is enough for them, also if it fails.
func (s *session) replace(ctx context.Context, current lease, d denial) lease {
	if d.used != current.token {
		d.answer <- nil
		return current
	}
	next, err := current, errAlive
	if d.ended || !s.tokens.alive(ctx, current.token) {
		if next, err = s.login(ctx); err != nil {
			next = current
		}
	}
	for {
		d.answer <- err
		select {
		case d = <-s.denials:
			if d.used != current.token {
				d.answer <- nil
				return next
			}
		default:
			return next
		}
	}
}

// again waits for a token other than used, which was denied. It returns nil when there is one, errAlive when there is no
// need of one, or why none can be had.
func (s *session) again(ctx context.Context, used string, ended bool) error {
	d := denial{used: used, ended: ended, answer: make(chan error, 1)}
	select {
	case s.denials <- d:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.done:
		return errAlive
	}
	select {
	case err := <-d.answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close ends the session and returns what went wrong with revoking. It takes at most revokePatience, and the time that a
// canceled request needs to end.
func (s *session) close() error {
	s.stop()
	<-s.done
	return s.failure
}

// revoke ends all tokens that still live. What fails is no harm for long: they end by themselves.
func (s *session) revoke(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, revokePatience)
	defer cancel()
	failures := make([]error, len(s.issued))
	var all sync.WaitGroup
	for i, l := range s.issued {
		if l.revocable() && (l.full <= 0 || time.Until(l.ends) > 0) {
			all.Go(func() { failures[i] = s.tokens.revoke(ctx, l.token) })
		}
	}
	all.Wait()
	return errors.Join(failures...)
}
