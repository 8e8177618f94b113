package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/artifactctl/artifactctl/config"
	"github.com/artifactctl/artifactctl/internal/flux/audit"
)

// auditFlags say how an audit is done.
type auditFlags struct {
	baseline      string
	writeBaseline bool
	reason        string
	failOn        string
	online        bool
	resources     fluxFlags // what generate flux would be told: the names of Secrets in blocks to paste
}

func (p *program) auditCommand() *cobra.Command {
	var f auditFlags
	cmd := &cobra.Command{
		Use: "audit [PATH... | -]", Short: "Find every Flux source that is not verified, or not as it seems, before the cluster applies what it brings",
		Long: `audit looks at every OCIRepository, HelmRepository, HelmChart, HelmRelease, GitRepository, Bucket and FluxInstance and
says what its artifacts are checked against before the cluster applies them: nothing, a key, an identity, or something
that does not work as it seems. Without arguments it looks at all apps of publish.yaml as they are rendered; with PATHs at
the files there, and with - at what a cluster says. Sources of apps that publish.yaml publishes must trust what
publish.yaml trusts.

With --online, registries are asked whether what a source names is signed, and by whom: ready to paste as a verify block.
Findings that are accepted stand in a baseline, each with a reason. The exit code is 2 when findings are left.`,
		Example: `  artifactctl audit
  artifactctl audit clusters/ --baseline audit.yaml -o sarif
  kubectl get ocirepositories,helmrepositories,helmcharts,helmreleases,gitrepositories,buckets -A -o yaml | artifactctl audit -
  artifactctl audit clusters/ --online`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.within(cmd.Context(), func(ctx context.Context) error { return p.audit(ctx, f, args) })
		},
	}
	p.runFlags(cmd)
	c := cmd.Flags()
	output := c.Lookup("output")
	output.Usage = "format of the result: text, json, yaml, markdown or sarif"
	output.Annotations = map[string][]string{furtherValues: {"markdown", "sarif"}}
	c.StringVar(&f.baseline, "baseline", "", "file of findings that are accepted")
	c.BoolVar(&f.writeBaseline, "write-baseline", false, "add the findings that are left to the baseline, and accept them")
	c.StringVar(&f.reason, "reason", "accepted as found: say why", "why the findings that --write-baseline adds are accepted")
	c.StringVar(&f.failOn, "fail-on", string(audit.Warning), "least severity of a finding for which the exit code is 2: error, warning or info")
	c.BoolVar(&f.online, "online", false, "ask registries who signed what the sources name")
	c.StringVar(&f.resources.verifySecretRef, "verify-secret-ref", "signing-keys", "name of the Secret with the public keys, for verify blocks of own apps")
	c.StringVar(&f.resources.trustedRootSecretRef, "trusted-root-secret-ref", "sigstore-trusted-root", "name of the Secret with the trusted root, for verify blocks of own apps")
	return cmd
}

func (p *program) audit(ctx context.Context, f auditFlags, paths []string) error {
	if err := f.check(); err != nil {
		return err
	}
	s, err := p.openForAudit(ctx, paths)
	if err != nil {
		return err
	}
	defer s.close()
	baseline, err := readBaseline(f)
	if err != nil {
		return err
	}
	files, err := s.auditedFiles(ctx, paths)
	if err != nil {
		return err
	}
	report := audit.Run(files, audit.Options{Own: s.ownSources(ctx, f.resources)})
	if f.online {
		if err := audit.Online(ctx, report, s.upstreams(), cmp.Or(s.flags.concurrency, 8)); err != nil {
			return err
		}
	}
	if baseline != nil {
		baseline.Apply(report, time.Now())
	}
	if f.writeBaseline {
		if err := s.extendBaseline(f, report); err != nil {
			return err
		}
	}
	for _, problem := range report.Problems {
		if !problem.Flux { // the others are findings
			s.warn(fmt.Sprintf("%s:%d: not audited, for it cannot be read: %s", problem.File, problem.Line, problem.Message))
		}
	}
	if len(report.Sources) == 0 {
		s.warn("there is no Flux source in what was audited")
	}
	s.appendSummary(func() []byte { return s.ui.AuditMarkdown(report) })
	if err := s.ui.Audit(report, s.outputOptions()); err != nil {
		return err
	}
	return f.verdict(report)
}

func (f auditFlags) check() error {
	switch audit.Severity(f.failOn) {
	case audit.Error, audit.Warning, audit.Info:
	default:
		return usagef("use one of error, warning, info", "flag --fail-on: %q is not possible", f.failOn)
	}
	if f.writeBaseline && f.baseline == "" {
		return usagef("name the file with --baseline", "flag --write-baseline: there is no file to write")
	}
	return nil
}

// verdict is the exit code: there are findings that nobody accepted.
func (f auditFlags) verdict(r *audit.Report) error {
	n := r.Count(audit.Error)
	if f.failOn != string(audit.Error) {
		n += r.Count(audit.Warning)
	}
	if f.failOn == string(audit.Info) {
		n += r.Count(audit.Info)
	}
	if n > 0 {
		return errChanges
	}
	return nil
}

// readBaseline returns nil when there is none, which is an error unless it is about to be written.
func readBaseline(f auditFlags) (*audit.Baseline, error) {
	if f.baseline == "" {
		return nil, nil
	}
	text, err := os.ReadFile(f.baseline)
	if errors.Is(err, fs.ErrNotExist) && f.writeBaseline {
		return nil, nil
	}
	if err != nil {
		return nil, usagef("audit --write-baseline writes one", "flag --baseline: %w", err)
	}
	baseline, err := audit.ReadBaseline(f.baseline, text)
	if err != nil {
		return nil, &usageError{err: err, hint: "an exception has rule, object, reason and, if you like, file and until"}
	}
	return baseline, nil
}

// extendBaseline writes the findings that are left into the baseline, and accepts them.
func (s *session) extendBaseline(f auditFlags, r *audit.Report) error {
	before, err := os.ReadFile(f.baseline)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return usagef("name a file that can be read and written", "flag --baseline: %w", err)
	}
	added, text, err := audit.ExtendBaseline(before, r, f.reason)
	if err != nil {
		return err
	}
	if added > 0 || before == nil {
		if err := os.WriteFile(f.baseline, text, 0o644); err != nil {
			return usagef("name a file that can be written", "flag --baseline: %w", err)
		}
	}
	fmt.Fprintf(s.ui.Log(), "%s: %d exceptions added\n", f.baseline, added)
	fresh, err := audit.NewBaseline(r, f.reason)
	if err != nil {
		return err
	}
	accepted, err := audit.ReadBaseline(f.baseline, fresh)
	if err != nil {
		return err
	}
	accepted.Apply(r, time.Now())
	return nil
}

// openForAudit loads publish.yaml if there is one, or if arguments do not say what else to look at.
func (p *program) openForAudit(ctx context.Context, paths []string) (*session, error) {
	for _, path := range paths {
		if path == "-" && (len(paths) > 1 || p.flags.file == "-") {
			return nil, usagef("give - alone, and publish.yaml as a file", "standard input is one thing only")
		}
	}
	_, err := os.Stat(config.DefaultFile)
	if len(paths) == 0 || p.flags.file != "" || p.flags.env != "" || err == nil {
		return p.open(ctx, needs{})
	}
	p.blank()
	s := &session{program: p}
	s.ui = p.newUI()
	s.closers = append(s.closers, s.ui.Close)
	return s, nil
}
