package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/artifactctl/artifactctl/internal/engine"
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
	cmd.Flags().StringArrayVar(&f.protect, "protect", nil, "directory of manifests: digests and tags that its files name are kept")
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
	pruning := engine.Pruning{KeepLast: f.keepLast, Before: time.Now().Add(-old), Protected: protected}
	if f.delete {
		pruning.Deleter = s.engine.Registry.(engine.Deleter)
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

// reference matches what may be a tag or a digest in a manifest.
var reference = regexp.MustCompile(`(?:sha256:)?[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`)

// namedIn returns what reports whether a file below the directories names a digest or a tag.
func namedIn(directories []string) (func(digest, tag string) bool, error) {
	names := map[string]bool{}
	for _, dir := range directories {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() && d.Name() == ".git" {
				if err == nil {
					return filepath.SkipDir
				}
				return err
			}
			if !d.Type().IsRegular() || !slices.Contains([]string{".yaml", ".yml", ".json", ".tf"}, filepath.Ext(path)) {
				return nil
			}
			text, err := os.ReadFile(path)
			for _, name := range reference.FindAllString(string(text), -1) {
				names[name] = true
			}
			return err
		})
		if err != nil {
			return nil, usagef("name a directory that can be read", "flag --protect: %w", err)
		}
	}
	return func(digest, tag string) bool { return names[digest] || (tag != "" && names[tag]) }, nil
}
