package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/artifactctl/artifactctl/config"
	"github.com/artifactctl/artifactctl/internal/engine"
)

func TestExitCodes(t *testing.T) {
	done, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx     context.Context
		err     error
		code    int
		printed string
	}{
		"done":               {t.Context(), nil, 0, ""},
		"an app failed":      {t.Context(), errSomeFailed, 1, ""},
		"changes":            {t.Context(), errChanges, 2, ""},
		"anything else":      {t.Context(), errors.New("boom"), 1, "error: boom\n"},
		"usage":              {t.Context(), usagef("do so", "not so"), 3, "error: not so\nhint: do so\n"},
		"wrapped usage":      {t.Context(), fmt.Errorf("flag: %w", usagef("do so", "not so")), 3, "error: flag: not so\nhint: do so\n"},
		"configuration":      {t.Context(), &config.Invalid{Problems: []config.Problem{{File: "p.yaml", Message: "no", Hint: "yes"}}}, 3, "error: p.yaml: no\nhint: yes\n"},
		"dirty":              {t.Context(), &usageError{err: engine.ErrDirty, hint: "commit"}, 3, "error: " + engine.ErrDirty.Error() + "\nhint: commit\n"},
		"interrupted":        {done, fmt.Errorf("x: %w", context.Canceled), 130, "interrupted: run again to finish what is missing\n"},
		"failed, then ended": {done, errSomeFailed, 130, ""},
		"late in start-up":   {t.Context(), &usageError{err: timeoutError{"1s"}}, 1, "error: gave up after 1s\nhint: " + timeoutError{}.Hint() + "\n"},
		"late":               {t.Context(), timeoutError{"1s"}, 1, "error: gave up after 1s\nhint: " + timeoutError{}.Hint() + "\n"},
	} {
		var stderr bytes.Buffer
		if code := exit(c.ctx, &stderr, c.err); code != c.code || stderr.String() != c.printed {
			t.Errorf("%s: exit code %d, printed %q; want %d, %q", name, code, stderr.String(), c.code, c.printed)
		}
	}
}
