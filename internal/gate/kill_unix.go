//go:build unix

package gate

import (
	"os"
	"syscall"
)

// kill ends a process that has not been waited for yet, with its group.
func kill(p *os.Process) error {
	_ = syscall.Kill(-p.Pid, syscall.SIGKILL)
	return p.Kill()
}
