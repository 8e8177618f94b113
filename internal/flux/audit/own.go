package audit

import (
	"bytes"
	"encoding/pem"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/artifactctl/artifactctl/internal/flux/manifest"
)

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// ownOf returns the repository of the user's own that this is.
func (a *auditor) ownOf(repository string) (Own, bool) {
	for _, o := range a.own {
		if repository != "" && strings.EqualFold(o.Repository, repository) {
			return o, true
		}
	}
	return Own{}, false
}

// ownTrust compares the verification of an own repository with what publish.yaml trusts.
func (a *auditor) ownTrust(s *subject) {
	own, ok := a.ownOf(s.reference.Repository)
	if !ok || s.verify == nil || s.broken {
		return
	}
	differs := func(message string) {
		a.foundBlock(s, trustDiffers, s.verify, "", message, "use what publish.yaml trusts", own.Block)
	}
	switch {
	case len(own.Keys) > 0 && s.State == Keyless:
		differs("it verifies an identity, and publish.yaml trusts a key")
	case own.Issuer != "" && s.State == Key:
		differs("it verifies a key, and publish.yaml trusts an identity")
	case own.Issuer != "" && s.identity != nil && !s.identity.accepts(own.Issuer, own.Subject):
		differs("it does not accept " + own.Subject + " (" + own.Issuer + ")")
	case len(own.Keys) > 0:
		if found, ok := a.secrets.find(s.object.Namespace, manifest.Text(s.verify, "secretRef", "name")); ok && found.data != nil && !holdsOne(found.data, own.Keys) {
			differs("its Secret holds none of the keys that publish.yaml trusts")
		}
	}
}

// accepts reports whether an identity matches; patterns with variables accept all.
func (p pattern) accepts(issuer, subject string) bool {
	return matches(p.issuer, issuer) && matches(p.subject, subject)
}

func matches(pattern, text string) bool {
	if hasVariable(pattern) || text == "" {
		return true
	}
	re, err := regexp.Compile(pattern)
	return err == nil && re.MatchString(text)
}

func holdsOne(data map[string][]byte, keys [][]byte) bool {
	for name, value := range data {
		block, _ := pem.Decode(value)
		if block == nil || !strings.HasSuffix(name, ".pub") {
			continue
		}
		for _, k := range keys {
			if want, _ := pem.Decode(k); want != nil && bytes.Equal(want.Bytes, block.Bytes) {
				return true
			}
		}
	}
	return false
}
