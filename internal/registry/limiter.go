package registry

import (
	"context"
	"sync"
	"time"
)

// limiters are the limiters of all hosts that a Remote speaks to: the registry, its token server, its storage.
type limiters struct {
	max   int
	hosts sync.Map // host → *limiter
}

func (l *limiters) of(host string) *limiter {
	if known, ok := l.hosts.Load(host); ok {
		return known.(*limiter)
	}
	fresh, _ := l.hosts.LoadOrStore(host, &limiter{max: float64(l.max), limit: float64(l.max)})
	return fresh.(*limiter)
}

// limiter decides how many requests may be under way to one host, as TCP does for packets: half as many after a refusal
// for being too many, one more after a round of answers. What a host asks for (Retry-After) holds for every request to
// it, not only for the one that was refused. When the wait is over no more than the limit go out, in the order in which
// they came.
type limiter struct {
	max float64

	mu      sync.Mutex
	limit   float64
	flying  int
	waiting []chan struct{}
	until   time.Time // nobody sends before
	round   int       // counts the halvings: the refusals of one round are one piece of news
	streak  int       // rounds since an answer was none
	passed  int       // answers that were no refusal
}

// acquire waits for a turn to send one request, and returns the round that it belongs to.
func (l *limiter) acquire(ctx context.Context, b backoff) (round int, err error) {
	var slept time.Time
	for {
		l.mu.Lock()
		until := l.until
		l.mu.Unlock()
		if d := until.Sub(b.now()); d > 0 && !until.Equal(slept) {
			if err := b.sleep(ctx, d); err != nil {
				return 0, err
			}
			slept = until
			continue
		}
		round, err := l.slot(ctx)
		if err != nil {
			return 0, err
		}
		l.mu.Lock()
		if l.until.Equal(until) {
			l.mu.Unlock()
			return round, nil
		}
		l.give() // a refusal came while this one stood in the queue
		l.mu.Unlock()
	}
}

// slot waits until fewer than the limit are under way.
func (l *limiter) slot(ctx context.Context) (round int, err error) {
	l.mu.Lock()
	if len(l.waiting) > 0 || l.flying >= int(l.limit) {
		mine := make(chan struct{})
		l.waiting = append(l.waiting, mine)
		l.mu.Unlock()
		select {
		case <-mine:
		case <-ctx.Done():
		}
		l.mu.Lock()
		if ctx.Err() != nil {
			defer l.mu.Unlock()
			l.abandon(mine)
			return 0, ctx.Err()
		}
	} else {
		l.flying++
	}
	defer l.mu.Unlock()
	return l.round, nil
}

// abandon takes a waiter out of the queue or, if it had its turn by then, gives that to the next.
func (l *limiter) abandon(mine chan struct{}) {
	for i, w := range l.waiting {
		if w == mine {
			l.waiting = append(l.waiting[:i:i], l.waiting[i+1:]...)
			return
		}
	}
	l.give()
}

// give ends a turn and lets others have theirs.
func (l *limiter) give() {
	l.flying--
	for len(l.waiting) > 0 && l.flying < int(l.limit) {
		l.flying++
		close(l.waiting[0])
		l.waiting = l.waiting[1:]
	}
}

// failed ends a turn that tells nothing about the host's limits.
func (l *limiter) failed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.give()
}

// answered ends a turn with an answer that was no refusal.
func (l *limiter) answered() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.passed++
	l.streak = 0
	l.limit = min(l.max, l.limit+1/l.limit)
	l.give()
}

// refused ends a turn that the host refused for being too many, and makes everybody wait as long as it asked, or longer
// and longer where it did not say. It returns how many answers were no refusal so far, by which the refused can see
// whether the host lets anybody through.
func (l *limiter) refused(round int, asked time.Duration, b backoff) (passed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if round == l.round {
		l.round++
		l.limit = max(1, l.limit/2)
		l.streak++
	}
	if until := b.now().Add(b.delay(max(0, l.streak-1), asked)); until.After(l.until) {
		l.until = until
	}
	l.give()
	return l.passed
}

// pause returns how long nobody may send.
func (l *limiter) pause(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.until.Sub(now)
}
