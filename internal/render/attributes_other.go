//go:build !unix

package render

import (
	"os"
	"syscall"
)

// attributes has nothing to say: a worker ends when its standard input does.
func attributes() *syscall.SysProcAttr { return nil }

// kill ends a process that has not been waited for yet.
func kill(p *os.Process, _ <-chan struct{}) { _ = p.Kill() }
