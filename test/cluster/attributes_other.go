//go:build !linux

package cluster

import (
	"os"
	"syscall"
)

// attributes are those of any process: only Linux ends a program with its parent.
func attributes() *syscall.SysProcAttr { return nil }

// kill ends a program.
func kill(p *os.Process) { _ = p.Kill() } // it may be gone already
