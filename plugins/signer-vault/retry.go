package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
)

// longestPause is the longest Retry-After that is worth waiting for.
const longestPause = 30 * time.Second

// Statuses by which a node of Vault Enterprise says that it only stands by.
const (
	statusDRSecondary        = 472
	statusPerformanceStandby = 473
)

// retryPolicy is that of vault/api (lost connections, 412, 429, 5xx, as often as VAULT_MAX_RETRIES says), and nodes that
// stand by. A Retry-After beyond what the caller, VAULT_CLIENT_TIMEOUT or longestPause leave is reported instead of
// slept through: the sleep would end as a timeout that hides the reason.
func retryPolicy(ctx context.Context, response *http.Response, err error) (bool, error) {
	again, err := api.DefaultRetryPolicy(ctx, response, err)
	if response == nil || err != nil {
		return again, err
	}
	if response.StatusCode == statusDRSecondary || response.StatusCode == statusPerformanceStandby {
		return true, nil
	}
	pause := askedPause(response)
	if !again || !tooLong(ctx, pause) {
		return again, nil
	}
	return false, &pauseError{pause: pause, answer: (&api.Response{Response: response}).Error()}
}

// pauseError is an answer that asks for a pause which is too long.
type pauseError struct {
	pause  time.Duration
	answer error
}

func (e *pauseError) Error() string {
	return fmt.Sprintf("%v, and asks for a pause of %s", e.answer, e.pause)
}
func (e *pauseError) Unwrap() error { return e.answer }

func tooLong(ctx context.Context, pause time.Duration) bool {
	if pause > longestPause {
		return true
	}
	deadline, ok := ctx.Deadline()
	return ok && pause > 0 && pause >= time.Until(deadline)
}

// askedPause reads Retry-After, seconds or a date, where vault/api heeds it.
func askedPause(response *http.Response) time.Duration {
	if response.StatusCode != http.StatusTooManyRequests && response.StatusCode != http.StatusServiceUnavailable {
		return 0
	}
	text := strings.TrimSpace(response.Header.Get("Retry-After"))
	if seconds, err := strconv.Atoi(text); err == nil {
		return min(time.Duration(max(seconds, 0)), 1<<20) * time.Second
	}
	if date, err := http.ParseTime(text); err == nil {
		return max(time.Until(date).Round(time.Second), 0)
	}
	return 0
}
