//go:build unix

package main

import (
	"syscall"
	"time"
)

// ownCPU is what this process has computed so far, in user and system time; childrenCPU what its ended children have.
func ownCPU() time.Duration      { return used(syscall.RUSAGE_SELF) }
func childrenCPU() time.Duration { return used(syscall.RUSAGE_CHILDREN) }

func used(who int) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(who, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
