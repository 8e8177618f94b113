package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// glance is how often the memory of processes is looked at. The kernel keeps the peak of each, so that only what a
// process takes right before its end goes unseen.
const glance = 15 * time.Millisecond

// watch returns the peaks of resident memory, in bytes, of the process and of the largest render worker among its
// children, until done is closed. What the kernel tells of ended processes will not do: it mixes them up.
func watch(pid int, done <-chan struct{}) (parent, worker int64) {
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for {
		parent = max(parent, peak(strconv.Itoa(pid)))
		for _, child := range children(pid) {
			if isWorker(child) {
				worker = max(worker, peak(child))
			}
		}
		select {
		case <-done:
			return parent, worker
		case <-tick.C:
		}
	}
}

// isWorker tells a render worker from a signer and from git.
func isWorker(pid string) bool {
	command, _ := os.ReadFile("/proc/" + pid + "/cmdline") // gone: no worker
	return bytes.Contains(command, []byte("\x00render-worker\x00"))
}

// children lists the processes that a process has started, by any of its threads.
func children(pid int) []string {
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil // it has ended
	}
	var out []string
	for _, t := range threads {
		list, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, t.Name()))
		for _, child := range bytes.Fields(list) {
			out = append(out, string(child))
		}
	}
	return out
}

// peak returns the most memory that a process had resident so far, in bytes.
func peak(pid string) int64 {
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return 0
	}
	_, after, _ := bytes.Cut(status, []byte("VmHWM:"))
	fields := bytes.Fields(after)
	if len(fields) == 0 {
		return 0
	}
	kib, _ := strconv.ParseInt(string(fields[0]), 10, 64)
	return kib << 10
}
