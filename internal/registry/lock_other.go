//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package registry

import (
	"context"
	"errors"
	"fmt"
)

// lockFile refuses: without flock a killed process would leave a lock behind, or two would write at a time.
func lockFile(context.Context, string) (func(), error) {
	return nil, fmt.Errorf("writing to a directory as a registry is not possible on this system: %w", errors.ErrUnsupported)
}

// syncDir does nothing: the system has no such call.
func syncDir(string) error { return nil }
