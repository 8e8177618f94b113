//go:build unix && !linux

package gate

import (
	"os"
	"syscall"
)

// attributes puts a command into a process group of its own, so that Ctrl-C reaches only us and a kill reaches all that
// the command started.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// settle does nothing: what a command leaves behind cannot be told from others once it is reaped.
func settle(*os.Process) bool { return false }

// limitMemory does nothing: only Linux sets the limits of another process.
func limitMemory(*os.Process, int64) bool { return true }
