package audit

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/artifactctl/artifactctl/internal/flux/identity"
	"github.com/artifactctl/artifactctl/internal/flux/manifest"
)

// pattern is the one identity of a verify block.
type pattern struct{ issuer, subject string }

// verification judges the verify block of an artifact.
func (a *auditor) verification(s *subject) State {
	switch provider := manifest.Text(s.verify, "provider"); provider {
	case "", "cosign":
		return a.cosign(s)
	case "notation":
		return a.notation(s)
	default:
		if !hasVariable(provider) {
			a.found(s, providerUnknown, manifest.Get(s.verify, "provider"), "provider "+provider+" is none of cosign and notation", "use provider: cosign")
		}
		return Key
	}
}

func (a *auditor) notation(s *subject) State {
	secret := manifest.Text(s.verify, "secretRef", "name")
	s.By = "secret " + secret
	if secret == "" {
		s.By = ""
		a.found(s, secretWithoutKeys, s.verify, "provider notation has no secretRef", "name the Secret with trustpolicy.json and the certificates")
	} else {
		a.secret(s, secret, notationCertificates)
	}
	if at := manifest.Get(s.verify, "matchOIDCIdentity"); at != nil {
		a.found(s, identityIgnored, at, "notation knows no matchOIDCIdentity", "remove it")
	}
	return Key
}

func (a *auditor) cosign(s *subject) State {
	secret := manifest.Text(s.verify, "secretRef", "name")
	identities, trustedRoot := manifest.Get(s.verify, "matchOIDCIdentity"), manifest.Get(s.verify, "trustedRootSecretRef")
	if trustedRoot != nil && !s.features.trustedRoot {
		a.found(s, rootUnsupported, trustedRoot, "a "+s.Kind+" of "+s.object.APIVersion+" has no trustedRootSecretRef", "use an OCIRepository of source.toolkit.fluxcd.io/v1 with chartRef, or a key")
		trustedRoot = nil
	}
	if secret != "" {
		a.keys(s, secret, identities, trustedRoot)
		return Key
	}
	if identities != nil && !s.features.identities {
		a.found(s, identityUnsupported, identities, "the chart of a HelmRelease has no matchOIDCIdentity", "use an OCIRepository with verify and chartRef")
		return Keyless
	}
	if trustedRoot != nil {
		a.secret(s, manifest.Text(trustedRoot, "name"), trustedRoots)
	}
	a.identities(s, identities)
	return Keyless
}

func (a *auditor) keys(s *subject, secret string, identities, trustedRoot *yaml.Node) {
	s.By = "secret " + secret
	n := a.secret(s, secret, cosignKeys)
	if identities != nil {
		a.found(s, identityIgnored, identities, "it has secretRef and matchOIDCIdentity", "remove the one that is not meant")
	}
	if trustedRoot != nil {
		a.found(s, rootIgnored, trustedRoot, "it has secretRef and trustedRootSecretRef", "remove trustedRootSecretRef")
	}
	if n > 1 && !s.features.manyKeys {
		a.found(s, severalKeys, manifest.Get(s.verify, "secretRef"), "the Secret holds several keys, and this is a chart", "keep one key in it; while keys rotate, use an OCIRepository with chartRef")
	}
}

// identities judges matchOIDCIdentity: exactly one entry, and a narrow one.
func (a *auditor) identities(s *subject, list *yaml.Node) {
	var entries []*yaml.Node
	if list != nil && list.Kind == yaml.SequenceNode {
		entries = manifest.Items(list)
	}
	if len(entries) == 0 {
		at := list
		if at == nil {
			at = s.verify
		}
		fix := "name the one identity that signs"
		if !s.features.identities {
			fix = "the chart of a HelmRelease can only be verified by a key: use secretRef, or an OCIRepository with chartRef"
		}
		a.found(s, noIdentity, at, "it has neither secretRef nor an entry of matchOIDCIdentity", fix)
		return
	}
	var all []pattern
	for _, e := range entries {
		p := pattern{manifest.Text(e, "issuer"), manifest.Text(e, "subject")}
		all = append(all, p)
		if p.issuer == "" || p.subject == "" {
			a.found(s, noIdentity, e, "an entry of matchOIDCIdentity lacks its issuer or subject", "give both")
			continue
		}
		a.pattern(s, manifest.Get(e, "issuer"), "issuer", p.issuer)
		a.pattern(s, manifest.Get(e, "subject"), "subject", p.subject)
	}
	s.By = all[0].subject + " (" + all[0].issuer + ")"
	if len(entries) > 1 {
		merged := merge(all)
		a.foundBlock(s, severalIdentities, list, "", "matchOIDCIdentity has more than one entry",
			"make it one entry; issuer and subject are matched independently, so keep only what is needed", identity.Block(merged.issuer, merged.subject, manifest.Text(s.verify, "trustedRootSecretRef", "name")))
		return
	}
	s.identity = &all[0]
}

// merge makes one entry of several, each kept apart in an alternative.
func merge(all []pattern) pattern {
	join := func(get func(pattern) string) string {
		var parts []string
		for _, p := range all {
			part := whole(get(p))
			if part != "" && !slices.Contains(parts, part) {
				parts = append(parts, part)
			}
		}
		if len(parts) == 1 {
			return "^" + parts[0] + "$"
		}
		return "^(?:" + strings.Join(parts, "|") + ")$"
	}
	return pattern{join(func(p pattern) string { return p.issuer }), join(func(p pattern) string { return p.subject })}
}

// whole takes the anchors from an expression, and opens it where it had none.
func whole(text string) string {
	head, tail := identity.Anchored(text)
	text = strings.TrimPrefix(text, "^")
	if tail && strings.HasSuffix(text, "$") {
		text = strings.TrimSuffix(text, "$")
	}
	if text != "" && !head {
		text = ".*" + text
	}
	if text != "" && !tail {
		text += ".*"
	}
	return text
}

// pattern judges one regular expression.
func (a *auditor) pattern(s *subject, at *yaml.Node, field, text string) {
	if hasVariable(text) {
		return
	}
	if _, err := regexp.Compile(text); err != nil {
		a.found(s, identityInvalid, at, field+" "+text+": "+strings.TrimPrefix(err.Error(), "error parsing regexp: "), "write a regular expression of Go, without look-around")
		return
	}
	if broad, severity := breadth(field, text); broad != "" {
		a.foundBlock(s, identityBroad, at, severity, field+" "+text+" accepts "+broad, "name the workflow and the refs that publish; alternatives go into (a|b)", "")
		return
	}
	if head, tail := identity.Anchored(text); !head || !tail {
		a.found(s, identityUnanchored, at, field+" "+text+" is open at "+ends(head, tail), "write '"+identity.Anchor(text)+"'")
		return
	}
	if identity.LooseDots(text) {
		a.found(s, identityLooseDot, at, field+" "+text+" has a dot that stands for any character", `write \. for a dot`)
	}
}

func ends(head, tail bool) string {
	switch {
	case !head && !tail:
		return "both ends"
	case !head:
		return "its beginning"
	}
	return "its end"
}

func breadth(field, text string) (string, Severity) {
	if field == "issuer" {
		if identity.IssuerBroad(text) {
			return "any issuer", Error
		}
		return "", ""
	}
	switch identity.SubjectBreadth(text) {
	case identity.Anybody:
		return "anybody", Error
	case identity.Organization:
		return "every repository of its owner, or everybody of its domain", Error
	case identity.AnyWorkflow:
		return "every workflow of the repository, on any branch", Warning
	case identity.AnyRef:
		return "any branch", Warning
	}
	return "", ""
}
