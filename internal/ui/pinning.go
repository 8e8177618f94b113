package ui

import (
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/artifactctl/artifactctl/internal/flux/pins"
)

// PinsReport is what became of the refs in a GitOps directory when apps were promoted.
type PinsReport struct {
	Directory string `json:"directory"`
	// Written is false in a dry run, and when an app was not promoted or a ref could not be changed: then no file was.
	Written bool `json:"written"`
	pins.Result
}

// NewPinsReport returns the report of an edit of a directory or a file, with paths as seen from where the user is.
func NewPinsReport(dir string, r *pins.Result) *PinsReport {
	dir = filepath.ToSlash(dir)
	report := &PinsReport{Directory: dir, Result: *r}
	place := func(file string) string {
		if path.Base(dir) == file { // the file itself was named
			return dir
		}
		return path.Join(dir, file)
	}
	for _, f := range r.Files {
		report.Diff = strings.Replace(report.Diff, "--- a/"+f.Path+"\n+++ b/"+f.Path+"\n", "--- a/"+place(f.Path)+"\n+++ b/"+place(f.Path)+"\n", 1)
	}
	for i := range report.Changes {
		report.Changes[i].File = place(report.Changes[i].File)
	}
	for i := range report.Current {
		report.Current[i].File = place(report.Current[i].File)
	}
	for i := range report.Skipped {
		report.Skipped[i].File = place(report.Skipped[i].File)
	}
	return report
}

// Failed reports whether a ref could not follow.
func (r *PinsReport) Failed() bool { return r != nil && len(r.Skipped)+len(r.Missing) > 0 }

// SkipLine says in one line which ref could not be changed, and why.
func SkipLine(s pins.Skip) string {
	return fmt.Sprintf("%s:%d: %s: %s", s.File, s.Line, s.Object, s.Reason)
}

// MissingLine says in one line that no object names a repository.
func MissingLine(dir, repository string) string {
	return fmt.Sprintf("%s: no OCIRepository names oci://%s", dir, repository)
}

// pins writes what became of refs: each change, as a diff when they are only shown, and what stands in the way.
func (p *page) pins(r *PinsReport, dryRun bool) {
	if r == nil {
		return
	}
	p.line(0)
	for _, s := range r.Skipped {
		p.message(0, p.palette.red("✗"), SkipLine(s))
	}
	for _, m := range r.Missing {
		p.message(0, p.palette.red("✗"), MissingLine(r.Directory, m))
	}
	if r.Written {
		for _, c := range r.Changes {
			p.line(0, p.palette.green("✓"), cleanLine(fmt.Sprintf("%s:%d: %s: %s %s", c.File, c.Line, c.Object, c.Field, movement(c))))
		}
	} else if dryRun && r.Diff != "" {
		p.b.WriteString(Clean(p.hide(r.Diff)))
	}
	p.line(0, p.palette.bold(cleanLine(r.summary(dryRun))))
}

func (r *PinsReport) summary(dryRun bool) string {
	switch {
	case r.Failed():
		return fmt.Sprintf("Pins: none is written to %s, because %s cannot follow", r.Directory, plural(len(r.Skipped)+len(r.Missing), "ref"))
	case r.Written:
		return fmt.Sprintf("Pins: %s in %s changed, %d were right already", plural(len(r.Changes), "value"), r.Directory, len(r.Current))
	case dryRun && len(r.Changes)+len(r.Current) > 0:
		return fmt.Sprintf("Pins: %s in %s would change, %d are right already", plural(len(r.Changes), "value"), r.Directory, len(r.Current))
	}
	return fmt.Sprintf("Pins: none is written to %s, because not every app is promoted", r.Directory)
}

// movement is a change of a value, digests shortened.
func movement(c pins.Change) string {
	if c.From == "" {
		return "→ " + short(c.To)
	}
	return short(c.From) + " → " + short(c.To)
}
