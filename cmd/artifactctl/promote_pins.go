package main

import (
	"path/filepath"
	"strings"

	"github.com/artifactctl/artifactctl/internal/engine"
	"github.com/artifactctl/artifactctl/internal/flux/pins"
	"github.com/artifactctl/artifactctl/internal/ui"
)

// pinFlags say which refs in a GitOps directory follow a promotion.
type pinFlags struct {
	dir            string
	digest, ranges bool
}

func (f pinFlags) options() pins.Options {
	o := pins.Options{Form: pins.Keep, Semver: f.ranges}
	if f.digest {
		o.Form = pins.ByDigest
	}
	return o
}

// checkPins refuses a directory whose refs cannot follow the promotion, before anything is promoted: refs that cannot be
// changed safely, and apps that no object names.
func (s *session) checkPins(f pinFlags) error {
	if f.dir == "" {
		if f.digest || f.ranges {
			return usagef("name the directory with --write-pins", "flags --pin-digest and --pin-ranges: there are no pins to write")
		}
		return nil
	}
	if dir, ok := s.cfg.Registry.Layout(); ok {
		return usagef("promote to the registry that the cluster reads", "flag --write-pins: no cluster reads the directory %s", dir)
	}
	const anything = "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	var wanted []pins.Pin
	for _, a := range s.apps {
		wanted = append(wanted, pins.Pin{Repository: s.engine.Host + "/" + a.Repository, Digest: anything, Tag: "any"})
	}
	found, err := pins.EditTree(f.dir, wanted, f.options(), true)
	if err != nil {
		return usagef("name a directory of manifests, or a file", "flag --write-pins: %w", err)
	}
	report := ui.NewPinsReport(f.dir, found)
	var lines []string
	for _, skip := range report.Skipped {
		if !strings.HasPrefix(skip.Object, "FluxInstance/") { // it may say the right thing already
			lines = append(lines, ui.SkipLine(skip))
		}
	}
	for _, repository := range report.Missing {
		lines = append(lines, ui.MissingLine(report.Directory, repository))
	}
	if len(lines) > 0 {
		return usagef("nothing was promoted; --only leaves apps out, --pin-ranges has ranges of versions replaced",
			"flag --write-pins: the pins cannot follow this promotion:\n%s", strings.Join(lines, "\n"))
	}
	return nil
}

// writePins repoints the refs of the promoted apps or, in a dry run, says how it would. Nothing is written unless every app
// was promoted and every ref can be changed.
func (s *session) writePins(f pinFlags, from *engine.Engine, r *engine.PromotionReport) (*ui.PinsReport, error) {
	if f.dir == "" {
		return nil, nil
	}
	if r.Summary.Failed+r.Summary.Held > 0 {
		return &ui.PinsReport{Directory: filepath.ToSlash(f.dir), Result: *none()}, nil
	}
	var wanted []pins.Pin
	for i, a := range r.Apps {
		if a.Status != engine.PromotionSuperseded { // the target's tags name something newer, and so may its pins
			wanted = append(wanted, pins.Pin{Repository: a.Repository, Digest: a.Digest, TagFor: s.tagFor(s.apps[i].Name, a, from)})
		}
	}
	found, err := pins.EditTree(f.dir, wanted, f.options(), true)
	if err == nil && !r.DryRun && len(found.Skipped)+len(found.Missing) == 0 {
		found, err = pins.EditTree(f.dir, wanted, f.options(), false)
	}
	if err != nil {
		return nil, advise(err, "every app is promoted: put the directory right, and run again to write its pins")
	}
	report := ui.NewPinsReport(f.dir, found)
	report.Written = !r.DryRun && !report.Failed()
	return report, nil
}

func none() *pins.Result {
	return &pins.Result{Changes: []pins.Change{}, Current: []pins.Found{}, Skipped: []pins.Skip{}, Missing: []string{}}
}

// tagFor says which tag a ref names after a promotion, by the one that it names. A ref that follows one of the app's tags
// stays; a release puts its version everywhere else; else an immutable tag stays one, and a rolling tag becomes the one
// that was promoted.
func (s *session) tagFor(app string, a engine.PromotedApp, from *engine.Engine) func(current string) string {
	byKind := map[engine.TagKind]string{}
	for _, t := range a.Tags {
		byKind[t.Kind] = t.Name
	}
	return func(current string) string {
		if current != "" && current == byKind[engine.RollingTag] {
			return current
		}
		order := []engine.TagKind{engine.ReleaseTag, engine.CommitTag, engine.RollingTag}
		if s.engine.Tags.IsRolling(app, current) || from.Tags.IsRolling(app, current) {
			order = []engine.TagKind{engine.ReleaseTag, engine.RollingTag, engine.CommitTag}
		}
		for _, kind := range order {
			if name := byKind[kind]; name != "" {
				return name
			}
		}
		return ""
	}
}
