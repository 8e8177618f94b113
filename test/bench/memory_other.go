//go:build !linux

package main

// watch knows nothing of other processes' memory here.
func watch(_ int, done <-chan struct{}) (parent, worker int64) {
	<-done
	return 0, 0
}
