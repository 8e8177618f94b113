//go:build unix && !linux

package render

import "syscall"

// attributes puts a worker into a process group of its own, so that Ctrl-C reaches only us and a kill reaches git and
// helm, too. When we die, the worker ends because its standard input does.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
