//go:build unix

package render

import (
	"os"
	"syscall"
)

// kill ends a process with its group, unless it has been waited for: then its number may be somebody else's.
func kill(p *os.Process, reaped <-chan struct{}) {
	select {
	case <-reaped:
	default:
		_ = syscall.Kill(-p.Pid, syscall.SIGKILL)
		_ = p.Kill()
	}
}
