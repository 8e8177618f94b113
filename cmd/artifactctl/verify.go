package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/artifactctl/artifactctl/internal/engine"
)

func (p *program) verifyCommand() *cobra.Command {
	var tag string
	var reproduce bool
	var policy policyFlags
	cmd := &cobra.Command{
		Use: "verify [REFERENCE...]", Short: "Check signatures as Flux does; whatever is not known to be signed is refused",
		Long: `verify checks what the apps' tags name, or any references: oci://host/repository:tag, oci://host/repository@sha256:… or
oci-layout:directory:tag. It decides by Flux's rules: one good bundle is enough, a bundle hides legacy signatures, and only
what Flux can verify counts. For everything that is refused it says which signatures there are and what is wrong with each.
What could not be looked up is unknown, and refused, too.

Whose signatures are good is said by --key, or by --certificate-identity and --certificate-oidc-issuer (or their forms for
regular expressions), as for cosign; without these by trust of publish.yaml, for the references of its apps, and for all
when --file or --env is given.`,
		Example: `  artifactctl verify
  artifactctl verify --env production --tag 1.4.2
  artifactctl verify --reproduce
  artifactctl verify oci://ghcr.io/org/app:1.4.2 --key cosign.pub
  artifactctl verify oci://ghcr.io/stefanprodan/manifests/podinfo:latest --certificate-oidc-issuer https://token.actions.githubusercontent.com \
    --certificate-identity-regexp '^https://github\.com/stefanprodan/podinfo/.*$' -o json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.within(cmd.Context(), func(ctx context.Context) error {
				if len(args) > 0 {
					if tag != "" {
						return usagef("write it into the reference", "flag --tag is for the apps of publish.yaml")
					}
					return p.verifyReferences(ctx, args, policy, reproduce)
				}
				return p.verifyApps(ctx, tag, policy, reproduce)
			})
		},
	}
	p.runFlags(cmd)
	p.sourceFlags(cmd)
	p.signerFlags(cmd)
	policy.add(cmd)
	cmd.Flags().StringVar(&tag, "tag", "", "tag to verify in each repository; default the app's rolling tag or, on a release, its release tag")
	cmd.Flags().BoolVar(&reproduce, "reproduce", false, "also render the commit that each artifact says it is of, and compare every byte")
	return cmd
}

// verifyApps checks what the tags of publish.yaml's apps name.
func (p *program) verifyApps(ctx context.Context, tag string, flags policyFlags, reproduce bool) error {
	given, err := p.givenPolicy(ctx, flags)
	if err != nil {
		return err
	}
	s, err := p.open(ctx, needs{source: tag == "", policy: true, given: given})
	if err != nil {
		return err
	}
	defer s.close()
	if reproduce {
		if err := s.reproduceCommits(); err != nil {
			return err
		}
	}
	v, err := s.engine.Verify(ctx, s.apps, tag)
	return s.showVerification(v, err)
}

// showVerification prints what was found, with advice for what could not be.
func (s *session) showVerification(v *engine.Verification, err error) error {
	s.ui.Close()
	for i, a := range v.Apps {
		switch a.State {
		case engine.StateMissing:
			v.Apps[i].Failure = adviseFailure(a.Failure, "look at the name of the tag, and at the repository it should be in")
		case engine.StateUnknown:
			v.Apps[i].Failure = adviseFailure(a.Failure, "nothing is known about its signatures: try again, and if it stays so, look at the registry")
		}
	}
	if printErr := s.ui.Verification(v, s.outputOptions()); printErr != nil {
		return printErr
	}
	if err == nil && v.Refused > 0 {
		return errSomeFailed
	}
	return err
}
