package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"

	"github.com/spf13/cobra"
)

// profileFlag adds --profile to a command whose work is set already.
func (p *program) profileFlag(cmd *cobra.Command) {
	var dir string
	cmd.Flags().StringVar(&dir, "profile", "", "write cpu.pprof and heap.pprof of this process, not of its workers, into this directory")
	work := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if dir == "" {
			return work(cmd, args)
		}
		return p.profiled(dir, func() error { return work(cmd, args) })
	}
}

// profiled does work while it is profiled. That work failed is no reason to lose the profiles, and what work returned
// comes first.
func (p *program) profiled(dir string, work func() error) error {
	cpu, heap := filepath.Join(dir, "cpu.pprof"), filepath.Join(dir, "heap.pprof")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return usagef("name a directory that can be written", "flag --profile: %w", err)
	}
	file, err := os.Create(cpu)
	if err != nil {
		return usagef("name a directory that can be written", "flag --profile: %w", err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return errors.Join(fmt.Errorf("flag --profile: %w", err), file.Close())
	}
	done := work()
	pprof.StopCPUProfile()
	if err := errors.Join(file.Close(), writeHeap(heap)); err != nil {
		return errors.Join(done, fmt.Errorf("flag --profile: %w", err))
	}
	if _, err := fmt.Fprintf(p.err, "profiles: %s %s\n", cpu, heap); err != nil {
		return errors.Join(done, err)
	}
	return done
}

// writeHeap writes what was allocated since the start, and what is still held.
func writeHeap(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	runtime.GC() // the profile shows the state of the last collection
	return errors.Join(pprof.WriteHeapProfile(file), file.Close())
}
