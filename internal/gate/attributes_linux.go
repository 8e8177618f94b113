package gate

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// attributes puts a command into a process group of its own, so that Ctrl-C reaches only us and a kill reaches all that
// the command started. The kernel kills it when we die.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// settle waits until a command has ended, and kills what it left behind. The process is not reaped yet, so the number of
// its group is still its own. It reports whether that worked.
func settle(p *os.Process) bool {
	for {
		err := unix.Waitid(unix.P_PID, p.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EINTR) {
			return false
		}
	}
	_ = syscall.Kill(-p.Pid, syscall.SIGKILL)
	return true
}

// limitMemory bounds the writable memory of a command that has just begun, and by inheritance of each process that it
// starts from now on. It reports whether the command is within the bound: what it has got before is not taken back.
// Where the kernel refuses, only time is bounded.
func limitMemory(p *os.Process, limit int64) bool {
	if limit <= 0 {
		return true
	}
	_ = unix.Prlimit(p.Pid, unix.RLIMIT_DATA, &unix.Rlimit{Cur: uint64(limit), Max: uint64(limit)}, nil)
	return dataSize(p.Pid) <= limit
}

// dataSize returns the bytes that count against RLIMIT_DATA (proc(5), statm, field "data"); 0 when nobody can say.
func dataSize(pid int) int64 {
	statm, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(statm))
	if len(fields) < 6 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[5], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
