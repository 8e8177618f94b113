package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/artifactctl/artifactctl/internal/engine"
	"github.com/artifactctl/artifactctl/internal/flux/generate"
	"github.com/artifactctl/artifactctl/internal/ui"
)

// fluxFlags say what a cluster is given, beyond what publish.yaml says.
type fluxFlags struct {
	namespace                             string
	branch, tag, semver                   string
	digest                                bool
	interval, retryInterval, applyTimeout time.Duration
	prune, wait                           bool
	secretRef, certSecretRef, provider    string
	serviceAccount                        string
	verifySecretRef, trustedRootSecretRef string
	bootstrap                             string
	paths, targetNamespaces, dependsOn    []string
	out                                   string
}

func (p *program) generateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "generate", Short: "Write what clusters need to fetch, verify and apply the apps", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(p.generateFluxCommand())
	return cmd
}

func (p *program) generateFluxCommand() *cobra.Command {
	var f fluxFlags
	cmd := &cobra.Command{
		Use: "flux", Short: "Write an OCIRepository, which verifies, and a Kustomization for each app, and the Secrets that these read",
		Long: `generate flux writes what a cluster needs to follow the apps with Flux: for each an OCIRepository that verifies
signatures by the signer's trust of publish.yaml, and a Kustomization that applies what was verified; a Secret with the
public keys, or with the trusted root of a private Sigstore; and for the app flux-system, or the one that --bootstrap
names, the source of the cluster's own configuration. No private key and no password is ever written.

What is followed is the rolling tag; --tag names another, --tag-semver a range of releases, and --digest pins what the
tag names now, if its signature is good. Flags whose value may begin with APP= are for the apps of that name or glob, and
else for all.`,
		Example: `  artifactctl generate flux | kubectl apply -f -
  artifactctl generate flux --env production --tag-semver '>=1.0.0' --secret-ref registry --out clusters/production/apps
  artifactctl generate flux --depends-on 'web*=database' --target-namespace database=data`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.within(cmd.Context(), func(ctx context.Context) error { return p.generateFlux(ctx, f) })
		},
	}
	p.runFlags(cmd)
	p.sourceFlagsOfFlux(cmd, &f)
	p.applyFlagsOfFlux(cmd, &f)
	cmd.Flags().StringVar(&f.out, "out", "", "write one file an app, and kustomization.yaml, into this directory; files that were not generated are never replaced")
	return cmd
}

// sourceFlagsOfFlux adds the flags of what is fetched, named as the flux command names them.
func (p *program) sourceFlagsOfFlux(cmd *cobra.Command, f *fluxFlags) {
	c := cmd.Flags()
	c.StringVarP(&f.namespace, "namespace", "n", "flux-system", "namespace of all objects")
	c.StringVar(&f.tag, "tag", "", "tag to follow in each repository; default the rolling tag of publish.yaml")
	c.StringVar(&f.branch, "branch", "", "follow the rolling tag of this branch; needed where publish.yaml has more than one")
	c.StringVar(&f.semver, "tag-semver", "", "follow releases in this range, as '>=1.0.0 <2.0.0'")
	c.BoolVar(&f.digest, "digest", false, "pin the digest that the tag names now; needs the registry, and a good signature")
	c.DurationVar(&f.interval, "interval", 10*time.Minute, "how often Flux looks for something new, and corrects drift")
	c.StringVar(&f.secretRef, "secret-ref", "", "existing Secret with the registry's credentials")
	c.StringVar(&f.certSecretRef, "cert-secret-ref", "", "existing Secret with the registry's CA (ca.crt) or a client certificate; default one that is made of registry.tls.ca")
	c.StringVar(&f.provider, "provider", "", "the cluster's own identity logs in to the registry: aws, azure or gcp")
	c.StringVar(&f.verifySecretRef, "verify-secret-ref", "signing-keys", "name of the Secret with the public keys")
	c.StringVar(&f.trustedRootSecretRef, "trusted-root-secret-ref", "sigstore-trusted-root", "name of the Secret with the trusted root of a private Sigstore")
}

// applyFlagsOfFlux adds the flags of what is applied.
func (p *program) applyFlagsOfFlux(cmd *cobra.Command, f *fluxFlags) {
	c := cmd.Flags()
	c.StringVar(&f.bootstrap, "bootstrap", usualBootstrap, "app that configures the cluster itself; its objects are called flux-system")
	c.StringArrayVar(&f.paths, "path", nil, "[APP=]PATH inside the artifact to apply; default ./")
	c.StringArrayVar(&f.targetNamespaces, "target-namespace", nil, "[APP=]NAMESPACE of all objects of the app")
	c.StringArrayVar(&f.dependsOn, "depends-on", nil, "[APP=]NAME of an app, or of another Kustomization, that has to be ready first")
	c.StringVar(&f.serviceAccount, "service-account", "", "account that Flux impersonates while applying")
	c.BoolVar(&f.prune, "prune", true, "delete from the cluster what is no longer in the artifact")
	c.BoolVar(&f.wait, "wait", true, "an app is ready when its objects are")
	c.DurationVar(&f.retryInterval, "retry-interval", 0, "how soon Flux tries again after a failure; default the interval")
	c.DurationVar(&f.applyTimeout, "apply-timeout", 5*time.Minute, "how long Flux may take to apply an app and wait for it")
}

func (p *program) generateFlux(ctx context.Context, f fluxFlags) error {
	named := 0
	for _, value := range []string{f.tag, f.branch, f.semver} {
		if value != "" {
			named++
		}
	}
	if named > 1 || (f.digest && f.semver != "") {
		return usagef("give one of them; --digest pins what a tag names", "flags --tag, --branch and --tag-semver exclude each other, and --digest excludes --tag-semver")
	}
	s, err := p.open(ctx, needs{})
	if err != nil {
		return err
	}
	defer s.close()
	files, err := s.fluxFiles(ctx, f)
	s.ui.Close()
	if err != nil {
		return err
	}
	for _, note := range s.notesOnFlux(f) {
		fmt.Fprintf(s.ui.Log(), "note: %s\n", note)
	}
	report := &ui.GenerationReport{Namespace: f.namespace, Objects: generate.List(files)}
	if report.Files, err = s.placeFlux(files, f.out); err != nil {
		return err
	}
	report.Directory = f.out
	return s.ui.Generation(report, s.outputOptions(), generate.Stream(files))
}

// fluxFiles generates everything for the session's apps.
func (s *session) fluxFiles(ctx context.Context, f fluxFlags) ([]generate.File, error) {
	apps, err := s.fluxApps(f)
	if err != nil {
		return nil, err
	}
	options, err := s.fluxOptions(ctx, f)
	if err != nil {
		return nil, err
	}
	if f.digest {
		if err := s.pinDigests(ctx, f, apps); err != nil {
			return nil, err
		}
	}
	files, err := generate.Flux(apps, options)
	if err != nil {
		return nil, usagef("names of apps come from publish.yaml, everything else from the flags of this command", "generate flux: %w", err)
	}
	return files, nil
}

// pinDigests has each app name what its tag names now. Only what the cluster will accept is worth a pin.
func (s *session) pinDigests(ctx context.Context, f fluxFlags, apps []generate.App) error {
	if err := s.findPolicy(ctx, false); err != nil {
		return err
	}
	if err := s.openRegistry(ctx, false); err != nil {
		return err
	}
	s.engine.Source = engine.Source{Branch: f.branch}
	found, err := s.engine.Verify(ctx, s.apps, f.tag)
	if err != nil {
		return err
	}
	var problems []error
	for i, v := range found.Apps {
		if v.Failure != nil {
			problems = append(problems, fmt.Errorf("pin %w", v.Failure.Err))
		}
		apps[i].Ref.Digest = v.Digest
	}
	return advise(errors.Join(problems...), "publish these apps first, or follow the tag without --digest")
}
