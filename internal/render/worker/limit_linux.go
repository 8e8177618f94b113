package worker

import (
	"os"
	"strconv"
	"strings"
	"syscall"
)

// limitData is the backstop of watchMemory: no more than twice the limit of writable memory, whatever happens between
// two looks. What the process has mapped already is not counted (a race detector maps terabytes). Where the kernel
// refuses, watchMemory is alone.
func limitData(limit int64) {
	bound := dataSize() + 2*uint64(limit)
	_ = syscall.Setrlimit(syscall.RLIMIT_DATA, &syscall.Rlimit{Cur: bound, Max: bound})
}

// dataSize returns the bytes that count against RLIMIT_DATA (proc(5), statm, field "data").
func dataSize() uint64 {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(statm))
	if len(fields) < 6 {
		return 0
	}
	pages, err := strconv.ParseUint(fields[5], 10, 64)
	if err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize())
}
