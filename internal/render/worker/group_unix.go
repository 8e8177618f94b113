//go:build unix

package worker

import "syscall"

// endGroup kills git or helm processes that a build has started, and with them this one. It does so only as leader of
// a process group of its own, which is how the pool starts workers.
func endGroup() {
	if syscall.Getpgrp() == syscall.Getpid() {
		_ = syscall.Kill(0, syscall.SIGKILL)
	}
}
