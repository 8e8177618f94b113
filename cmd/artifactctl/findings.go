package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/artifactctl/artifactctl/internal/finding"
	"github.com/artifactctl/artifactctl/internal/ui"
)

// findingsFlag adds the flag that writes what gates say into files, besides the command's own result.
func (p *program) findingsFlag(cmd *cobra.Command, write *[]string) {
	cmd.Flags().StringArrayVar(write, "findings", nil, "also write what gates say into a file, as junit=FILE or sarif=FILE")
}

// findingsFile is a format and the file that is to hold it.
type findingsFile struct {
	format ui.Format
	path   string
}

// findingsFiles reads the values of --findings.
func findingsFiles(values []string) ([]findingsFile, error) {
	var out []findingsFile
	for _, v := range values {
		format, file, ok := strings.Cut(v, "=")
		if !ok || file == "" || format != string(ui.JUnit) && format != string(ui.SARIF) {
			return nil, usagef("write it as --findings junit=gates.xml, or sarif=gates.sarif", "flag --findings: %q is not a format and a file", v)
		}
		out = append(out, findingsFile{ui.Format(format), file})
	}
	return out, nil
}

// checkFindings refuses values of --findings before anything is done.
func (s *session) checkFindings(values []string) error {
	files, err := findingsFiles(values)
	if err != nil {
		return err
	}
	for _, f := range files {
		if info, err := os.Stat(filepath.Dir(f.path)); err != nil || !info.IsDir() {
			return usagef("make it first, or name another file", "flag --findings: there is no directory %s", filepath.Dir(f.path))
		}
		if info, err := os.Stat(f.path); err == nil && info.IsDir() {
			return usagef("name a file in it", "flag --findings: %s is a directory", f.path)
		}
	}
	return nil
}

// writeFindings writes what gates said where --findings wants it. Without gates nothing was found.
func (s *session) writeFindings(r *finding.Report, values []string) error {
	files, err := findingsFiles(values)
	if err != nil {
		return err
	}
	for _, f := range files {
		content, err := ui.Findings(r, f.format, s.outputOptions().Generator, s.hide.String)
		if err == nil {
			err = os.WriteFile(f.path, content, 0o644)
		}
		if err != nil {
			return advise(fmt.Errorf("write findings: %w", err), "nothing else is missing: the result is complete without this file")
		}
	}
	return nil
}
