package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/artifactctl/artifactctl/config"
	"github.com/artifactctl/artifactctl/internal/engine"
	"github.com/artifactctl/artifactctl/internal/registry"
	"github.com/artifactctl/artifactctl/internal/source"
	"github.com/artifactctl/artifactctl/internal/ui"
)

// promoteFlags say what is promoted, and from where. Where to is what all other flags describe.
type promoteFlags struct {
	from, fromRegistry, tag  string
	sign, rollback, failFast bool
	dryRun                   bool
	pins                     pinFlags
}

func (p *program) promoteCommand() *cobra.Command {
	var f promoteFlags
	cmd := &cobra.Command{
		Use: "promote", Short: "Give what one environment has to another: the same digests with their signatures, verified on both sides",
		Long: `promote copies what the apps' tags name in one environment to the registry of another: the same digests, with their
signatures and everything else that refers to them. Each is verified before with the source's trust and after with the
target's, and then the target's tags move by the target's rules, all of a release together. Nothing is rendered. Run
again, it does what is missing.

With --write-pins the refs of the promoted apps in a GitOps directory follow, in place, so that a promotion is a reviewed
diff: a digest stays a digest and a tag a tag, and comments stay where they are. No file is touched unless every app was
promoted. Then source and target may be the same registry, for environments that differ in tags or pins alone.

--from and --from-registry describe the source; --env, --registry, --signer and --set the target. A registry can be a
directory, to cross an air gap.`,
		Example: `  artifactctl promote --from staging --env production
  artifactctl promote --from staging --env production --tag 1.4.2
  artifactctl promote --from staging --env production --write-pins clusters/production --dry-run
  artifactctl promote --from staging --registry oci-layout:./transfer
  artifactctl promote --from-registry oci-layout:./transfer --env production --sign`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.within(cmd.Context(), func(ctx context.Context) error { return p.promote(ctx, f) })
		},
	}
	p.runFlags(cmd)
	p.sourceFlags(cmd)
	p.signerFlags(cmd)
	cmd.Flags().StringVar(&f.from, "from", "", "environment of publish.yaml to promote from; without it, publish.yaml as it stands")
	cmd.Flags().StringVar(&f.fromRegistry, "from-registry", "", "registry.url to promote from, in place of the environment's")
	cmd.Flags().StringVar(&f.tag, "tag", "", "tag or digest to promote in each repository; default the app's rolling tag or, on a release, its release tag")
	cmd.Flags().BoolVar(&f.sign, "sign", false, "have the target's signer sign what the target would not trust otherwise")
	cmd.Flags().BoolVar(&f.rollback, "allow-rollback", false, "let rolling tags move backwards")
	cmd.Flags().BoolVar(&f.failFast, "fail-fast", false, "stop at the first app that fails")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "show what would be copied, signed and tagged, and how pins would change; write nothing")
	cmd.Flags().StringVar(&f.pins.dir, "write-pins", "", "directory or file of manifests whose OCIRepository refs follow the promotion")
	cmd.Flags().BoolVar(&f.pins.digest, "pin-digest", false, "have refs that name only a tag name the digest, too")
	cmd.Flags().BoolVar(&f.pins.ranges, "pin-ranges", false, "replace ranges of versions by the digest")
	return cmd
}

func (p *program) promote(ctx context.Context, f promoteFlags) error {
	from, err := p.loadOrigin(f)
	if err != nil {
		return err
	}
	s, err := p.open(ctx, needs{source: f.tag == "", policy: true, signer: f.sign && !f.dryRun, write: !f.dryRun})
	if err != nil {
		return err
	}
	defer s.close()
	promotion := engine.Promotion{Tag: f.tag, Sign: f.sign, DryRun: f.dryRun}
	if promotion.From, err = s.openOrigin(ctx, from); err != nil {
		return err
	}
	if err := s.mayPromote(promotion, from, f.pins); err != nil {
		return err
	}
	source, target := promotion.From.Registry.(registry.Store), s.engine.Registry.(registry.Store)
	copier := registry.NewCopier(source, target)
	if promotion.Copier = copier; f.dryRun {
		promotion.Copier = copier.Dry()
	}
	s.engine.Rollback, s.engine.FailFast = f.rollback, f.failFast
	report, err := s.engine.Promote(ctx, promotion, s.apps)
	s.ui.Close()
	for i, a := range report.Apps {
		report.Apps[i].Failure = adviseFailure(a.Failure, "run again: what is missing is finished then, and no tag names what is not verified")
	}
	pins, pinErr := s.writePins(f.pins, promotion.From, report)
	if printErr := s.ui.Promotion(report, pins, s.outputOptions()); printErr != nil {
		return printErr
	}
	s.appendSummary(func() []byte { return s.ui.PromotionMarkdown(report, pins, ui.SummaryLimit) })
	if err == nil {
		err = pinErr
	}
	if err == nil && (report.Summary.Failed > 0 || pins.Failed()) {
		return errSomeFailed
	}
	return err
}

// loadOrigin reads publish.yaml as the environment that is promoted from sees it.
func (p *program) loadOrigin(f promoteFlags) (*config.Config, error) {
	if p.flags.file == "-" {
		return nil, usagef("name a file", "flag --file: promote reads publish.yaml twice, which standard input does not allow")
	}
	var set []config.Override
	if f.fromRegistry != "" {
		set = append(set, config.Override{Flag: "--from-registry", Path: "registry.url", Value: f.fromRegistry})
	}
	cfg, err := config.Load(config.Options{File: p.flags.file, Env: f.from, Environ: p.environ, Set: set})
	if err != nil {
		return nil, err
	}
	p.others = []*config.Config{cfg}
	return cfg, nil
}

// openOrigin wires what is promoted from: a registry that is only read, and what its signatures are checked with.
func (s *session) openOrigin(ctx context.Context, cfg *config.Config) (*engine.Engine, error) {
	o := &session{program: s.program, cfg: cfg, ui: s.ui, apps: s.apps, legacy: s.cfg.Signature.Format != config.FormatBundle}
	s.closers = append(s.closers, o.close)
	o.engine = &engine.Engine{
		Tags:    engine.TagRules{Commit: cfg.Tags.Commit, Rolling: cfg.Tags.Rolling, Release: cfg.Tags.Release},
		Formats: formats(cfg.Signature.Format), Source: s.engine.Source,
	}
	if s.engine.History == nil { // nobody asked which commit is checked out, but how others relate still counts
		s.engine.History = newHistory(source.History{Dir: s.cfg.Dir, Environ: s.environ})
	}
	if err := o.findPolicy(ctx, false); err != nil {
		return nil, fmt.Errorf("the source: %w", err)
	}
	if err := o.openRegistry(ctx, false); err != nil {
		return nil, fmt.Errorf("the source: %w", err)
	}
	return o.engine, nil
}

// mayPromote refuses what cannot be meant, before anything is asked of a registry.
func (s *session) mayPromote(p engine.Promotion, from *config.Config, f pinFlags) error {
	if f.dir == "" && place(from) == place(s.cfg) {
		return usagef("--from or --from-registry says what is promoted from, --env or --registry where to; --write-pins has pins follow in the same registry",
			"source and target are the same registry, %s", s.engine.Host)
	}
	if err := s.checkPins(f); err != nil {
		return err
	}
	if len(s.flags.only) == 0 {
		return nil
	}
	for _, a := range s.apps {
		version, ok := p.From.Tags.Version(a.Name, p.Tag)
		if p.Tag == "" {
			version, ok = s.engine.Source.Version, s.engine.Source.Version != ""
		}
		if ok {
			return usagef("a release is one coherent set: promote it without --only", "%s is a release, and --only would leave apps out of it", version)
		}
	}
	return nil
}

// place names the registry of a configuration, however it is written.
func place(cfg *config.Config) string {
	if dir, ok := cfg.Registry.Layout(); ok {
		return "directory " + cfg.Abs(dir)
	}
	host, prefix := cfg.Registry.Host()
	return host + "/" + prefix
}
