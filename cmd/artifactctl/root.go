package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/artifactctl/artifactctl/config"
	"github.com/artifactctl/artifactctl/internal/redact"
)

// version is the release, set by the linker, which can only set a package variable; empty in builds that do not set it.
var version string

// stdio is all that a run sees of its process.
type stdio struct {
	in       io.Reader
	out, err io.Writer
	environ  []string
}

// lookup finds an environment variable.
func (s stdio) lookup(name string) (string, bool) {
	for i := len(s.environ) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(s.environ[i], name+"="); ok {
			return value, true
		}
	}
	return "", false
}

func (s stdio) getenv(name string) string {
	value, _ := s.lookup(name)
	return value
}

// program is one run of artifactctl. Its streams blank secrets from the moment these are known.
type program struct {
	stdio
	out, err io.Writer // stdio's, with secrets blanked
	flags    globalFlags
	hide     *redact.Redactor // what the streams blank; nil until publish.yaml is loaded

	others    []*config.Config  // further configurations of this run, whose secrets are blanked, too
	overrides []config.Override // what flags say about publish.yaml
	began     bool              // a command runs: what fails from here on is no usage error by itself
}

// globalFlags are those of more than one command.
type globalFlags struct {
	file, env        string
	set              []string
	registry, signer string
	only             []string
	output           string
	progress, color  string
	logLevel         string
	concurrency      int
	timeout          time.Duration
	renderTimeout    time.Duration
	unpinned         bool
	noCache          bool
	cacheDir         string
	since            string
	source           sourceFlags
	builder          string
}

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, s stdio) int {
	p := &program{stdio: s, out: s.out, err: s.err}
	root := p.root()
	root.SetArgs(args)
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	err := root.ExecuteContext(ctx)
	if err != nil && !p.began {
		err = &usageError{err: advise(err, "artifactctl --help lists commands and flags")}
	}
	return exit(ctx, p.err, err)
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "artifactctl",
		Short: "Publish a fleet of kustomize apps as signed Flux artifacts",
		Long: `artifactctl renders every app of publish.yaml, compares it with the registry, pushes what changed by digest, has it
signed by a signer plugin, checks and attaches the signature, and moves tags last: no tag ever names unsigned bytes.

Exit codes: 0 done or nothing to do, 1 some app failed, 2 changes or findings (plan --exit-code, audit), 3 usage or configuration,
130 interrupted.`,
		Version:       versionText(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := p.checkFlags(cmd); err != nil {
				return err
			}
			p.began = true
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("artifactctl {{.Version}}\n")
	root.CompletionOptions.HiddenDefaultCmd = false
	root.AddCommand(
		p.initCommand(), p.checkCommand(), p.schemaCommand(), p.keygenCommand(), p.configCommand(),
		p.renderCommand(), p.gateCommand(), p.planCommand(), p.publishCommand(), p.reportCommand(),
		p.verifyCommand(), p.statusCommand(), p.promoteCommand(), p.pruneCommand(),
		p.generateCommand(), p.auditCommand(),
		p.pluginsCommand(), p.cacheCommand(), p.versionCommand(), p.workerCommand(),
	)
	return root
}

// fileFlags adds the flags of commands that read publish.yaml.
func (p *program) fileFlags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&p.flags.file, "file", "f", p.getenv("ARTIFACTCTL_FILE"), "publish.yaml to read; - reads standard input")
	f.StringVarP(&p.flags.env, "env", "e", p.getenv("ARTIFACTCTL_ENV"), "environment of publish.yaml to apply")
	f.StringArrayVar(&p.flags.set, "set", nil, "set a value of publish.yaml, as registry.timeout=1m")
	f.StringVar(&p.flags.registry, "registry", "", "registry.url of publish.yaml")
	f.StringVar(&p.flags.signer, "signer", "", "signer of publish.yaml")
}

// runFlags adds the flags of commands that work on the fleet.
func (p *program) runFlags(cmd *cobra.Command) {
	p.fileFlags(cmd)
	p.outputFlags(cmd)
	f := cmd.Flags()
	f.StringSliceVar(&p.flags.only, "only", nil, "apps to work on, by name or glob; default all")
	f.StringVar(&p.flags.progress, "progress", "auto", "how progress is shown on standard error: auto, tty, plain, json or none")
	f.StringVar(&p.flags.logLevel, "log-level", cmp.Or(p.getenv("ARTIFACTCTL_LOG"), "warn"), "detail of the log: debug, info, warn or error")
	f.IntVarP(&p.flags.concurrency, "concurrency", "p", 0, "apps to work on at a time (default 8)")
	f.DurationVar(&p.flags.timeout, "timeout", 30*time.Minute, "give up after this time")
	f.DurationVar(&p.flags.renderTimeout, "render-timeout", 2*time.Minute, "give an app up that takes longer to render")
	p.cacheFlags(cmd)
	p.profileFlag(cmd)
}

// outputFlags adds the flags of commands that have a result.
func (p *program) outputFlags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&p.flags.output, "output", "o", "text", "format of the result: text, json or yaml")
	cmd.Flags().StringVar(&p.flags.color, "color", "auto", "colour: auto, always or never")
}

// furtherValues is the annotation of a flag that lists values which only some commands accept.
const furtherValues = "artifactctl_further_values"

// checkFlags refuses values that no command accepts, before anything is done.
func (p *program) checkFlags(cmd *cobra.Command) error {
	for _, c := range []struct {
		flag, value string
		allowed     []string
	}{
		{"output", p.flags.output, []string{"text", "json", "yaml"}},
		{"progress", p.flags.progress, []string{"auto", "tty", "plain", "json", "none"}},
		{"color", p.flags.color, []string{"auto", "always", "never"}},
		{"log-level", p.flags.logLevel, []string{"debug", "info", "warn", "error"}},
	} {
		flag := cmd.Flags().Lookup(c.flag)
		if flag != nil {
			c.allowed = append(c.allowed, flag.Annotations[furtherValues]...)
		}
		if flag != nil && !slices.Contains(c.allowed, c.value) {
			return usagef("use one of "+strings.Join(c.allowed, ", "), "flag --%s: %q is not possible", c.flag, c.value)
		}
	}
	if p.flags.concurrency < 0 || p.flags.timeout < 0 || p.flags.renderTimeout < 0 {
		return usagef("leave them out, or write them as 4 and 30s", "flags --concurrency, --timeout and --render-timeout cannot be negative")
	}
	return nil
}

// versionText is the release or, for a build from source, what the toolchain recorded.
func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "devel"
}

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(p.out, "artifactctl %s\n", versionText())
			return err
		},
	}
}
