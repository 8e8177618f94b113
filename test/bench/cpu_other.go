//go:build !unix

package main

import "time"

// ownCPU and childrenCPU are not known here.
func ownCPU() time.Duration      { return 0 }
func childrenCPU() time.Duration { return 0 }
