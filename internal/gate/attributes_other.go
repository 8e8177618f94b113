//go:build !unix

package gate

import (
	"os"
	"syscall"
)

func attributes() *syscall.SysProcAttr { return nil }

// kill ends a process that has not been waited for yet.
func kill(p *os.Process) error { return p.Kill() }

func settle(*os.Process) bool { return false }

func limitMemory(*os.Process, int64) bool { return true }
