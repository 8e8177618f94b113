package render

import "syscall"

// attributes puts a worker into a process group of its own, so that Ctrl-C reaches only us and a kill reaches git and
// helm, too. The kernel kills the worker when we die; a worker also ends when its standard input does, but one that is
// busy running out of memory might be late to see it.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
