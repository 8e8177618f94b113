package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/artifactctl/artifactctl/internal/engine"
	"github.com/artifactctl/artifactctl/internal/flux/manifest"
	"github.com/artifactctl/artifactctl/internal/flux/pins"
)

// pruneFlags say what may go.
type pruneFlags struct {
	keepLast  int
	olderThan string
	protect   []string
	delete    bool
}

func (p *program) pruneCommand() *cobra.Command {
	var f pruneFlags
	cmd := &cobra.Command{
		Use: "prune", Short: "Delete old artifacts with their signatures; shows what would go, unless --delete is given",
		Long: `prune deletes artifacts that only commit tags name (sha-…), with all that refers to them: those that are neither among
the newest of their app nor young. It never deletes what another tag names: a release, a rolling tag, one that somebody
made by hand. Without --delete it only shows what would go. Publish nothing to the same registry meanwhile.`,
		Example: `  artifactctl prune
  artifactctl prune --keep-last 20 --older-than 90d --protect clusters --delete`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.within(cmd.Context(), func(ctx context.Context) error { return p.pruneArtifacts(ctx, f) })
		},
	}
	p.runFlags(cmd)
	cmd.Flags().IntVar(&f.keepLast, "keep-last", 10, "artifacts that each app keeps, the newest")
	cmd.Flags().StringVar(&f.olderThan, "older-than", "30d", "delete only what was created longer ago: 36h, 30d, 8w")
	cmd.Flags().StringArrayVar(&f.protect, "protect", nil, "directory of manifests: digests and tags that its files name are kept, and in doubt everything")
	cmd.Flags().BoolVar(&f.delete, "delete", false, "delete, and not only show what would go")
	return cmd
}

func (p *program) pruneArtifacts(ctx context.Context, f pruneFlags) error {
	old, err := parseAge(f.olderThan)
	if err != nil || f.keepLast < 0 {
		return usagef("write --older-than 30d and --keep-last 10, for example", "flags --older-than and --keep-last: %q and %d cannot be meant", f.olderThan, f.keepLast)
	}
	protected, err := namedIn(f.protect)
	if err != nil {
		return err
	}
	s, err := p.open(ctx, needs{})
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.openRegistry(ctx, f.delete); err != nil {
		return err
	}
	pruning := engine.Pruning{KeepLast: f.keepLast, Before: time.Now().Add(-old), Protected: protected.Needs}
	if f.delete {
		pruning.Deleter = s.engine.Registry.(engine.Deleter)
	}
	for _, a := range s.apps {
		if doubt := protected.Doubt(s.engine.Host + "/" + a.Repository); doubt != "" {
			s.warn(fmt.Sprintf("everything of %s is kept: %s", a.Name, doubt))
		}
	}
	report, err := s.engine.Prune(ctx, pruning, s.apps)
	s.ui.Close()
	for i, a := range report.Apps {
		report.Apps[i].Failure = adviseFailure(a.Failure, "what tags name is as it was: try again, and if it stays so, look at the registry")
	}
	if printErr := s.ui.Pruning(report, s.outputOptions()); printErr != nil {
		return printErr
	}
	if err == nil && report.Failed > 0 {
		return errSomeFailed
	}
	return err
}

// parseAge reads a Go duration, or a number of days or weeks.
func parseAge(text string) (time.Duration, error) {
	const day = 24 * time.Hour
	for unit, length := range map[string]time.Duration{"d": day, "w": 7 * day} {
		if number, ok := strings.CutSuffix(text, unit); ok {
			n, err := strconv.ParseUint(number, 10, 16)
			return time.Duration(n) * length, err
		}
	}
	d, err := time.ParseDuration(text)
	if err == nil && d < 0 {
		err = fmt.Errorf("%s is negative", text)
	}
	return d, err
}

// namedIn reads the files below the directories that may name artifacts.
func namedIn(directories []string) (pins.Protection, error) {
	var files []manifest.File
	for _, dir := range directories {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() && d.Name() == ".git" {
				if err == nil {
					return filepath.SkipDir
				}
				return err
			}
			if !d.Type().IsRegular() || !manifest.IsYAML(path) && filepath.Ext(path) != ".tf" {
				return nil
			}
			text, err := os.ReadFile(path)
			files = append(files, manifest.File{Path: filepath.ToSlash(path), Content: text})
			return err
		})
		if err != nil {
			return pins.Protection{}, usagef("name a directory that can be read", "flag --protect: %w", err)
		}
	}
	return pins.Protect(files), nil
}
