package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
)

// What is tried again within a request, and what is reported at once.
func TestRetryPolicy(t *testing.T) {
	tests := map[string]struct {
		status int
		after  string
		left   time.Duration // until the deadline
		again  bool
		pause  time.Duration // that the error names
	}{
		"done":                {200, "", time.Minute, false, 0},
		"forbidden":           {403, "", time.Minute, false, 0},
		"bad request":         {400, "1", time.Minute, false, 0},
		"not found":           {404, "", time.Minute, false, 0},
		"stale replica":       {412, "", time.Minute, true, 0},
		"quota":               {429, "", time.Minute, true, 0},
		"quota, soon":         {429, "2", time.Minute, true, 0},
		"quota, now":          {429, "0", time.Minute, true, 0},
		"quota, nonsense":     {429, "tomorrow", time.Minute, true, 0},
		"quota, negative":     {429, "-5", time.Minute, true, 0},
		"quota, late":         {429, "120", time.Hour, false, 2 * time.Minute},
		"quota, beyond":       {429, "20", 10 * time.Second, false, 20 * time.Second},
		"quota, never":        {429, "99999999999999", time.Hour, false, 1 << 20 * time.Second},
		"quota, past date":    {429, "Fri, 31 Dec 1999 23:59:59 GMT", time.Minute, true, 0},
		"standby of DR":       {472, "", time.Minute, true, 0},
		"performance standby": {473, "", time.Minute, true, 0},
		"internal":            {500, "", time.Minute, true, 0},
		"internal, late":      {500, "120", time.Minute, true, 0}, // vault/api heeds it with 429 and 503 only
		"not implemented":     {501, "", time.Minute, false, 0},
		"bad gateway":         {502, "", time.Minute, true, 0},
		"sealed":              {503, "", time.Minute, true, 0},
		"sealed, late":        {503, "31", time.Hour, false, 31 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), tt.left)
			defer cancel()
			r := &http.Response{
				StatusCode: tt.status, Header: http.Header{"Retry-After": {tt.after}}, Request: &http.Request{URL: &url.URL{Path: "/v1/x"}},
				Body: io.NopCloser(strings.NewReader(`{"errors": ["the reason"]}`)),
			}
			again, err := retryPolicy(ctx, r, nil)
			if again != tt.again {
				t.Errorf("tried again: %v, %v", again, err)
			}
			pause, answer := (*pauseError)(nil), (*api.ResponseError)(nil)
			if tt.pause == 0 {
				if err != nil {
					t.Errorf("got %v", err)
				}
			} else if !errors.As(err, &pause) || pause.pause != tt.pause || !errors.As(err, &answer) || strings.Join(answer.Errors, "") != "the reason" {
				t.Errorf("got %v", err)
			}
		})
	}
	lost := &url.Error{Err: io.ErrUnexpectedEOF}
	if again, err := retryPolicy(t.Context(), nil, lost); !again || err != nil {
		t.Errorf("a lost connection: %v, %v", again, err)
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if again, err := retryPolicy(done, nil, lost); again || !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who has left: %v, %v", again, err)
	}
}
