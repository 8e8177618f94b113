//go:build unix

package main

import (
	"os"
	"runtime"
	"syscall"
)

// peakMemory returns the resident memory of the largest process of a finished run, in bytes.
func peakMemory(p *os.ProcessState) int64 {
	usage, ok := p.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	if runtime.GOOS == "darwin" {
		return usage.Maxrss
	}
	return usage.Maxrss << 10
}
