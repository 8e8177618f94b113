package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// effective is a merged configuration, while it is being checked.
type effective struct {
	loader  *loader
	layers  []layer // weakest first
	values  map[string]any
	publish Publish
	apps    []App
}

// origin finds where the value at a path comes from. The strongest layer that has it counts.
func (e *effective) origin(path string) (Origin, bool) {
	for _, l := range slices.Backward(e.layers) {
		if o, ok := l.origins[path]; ok {
			return o, true
		}
	}
	return Origin{Kind: FromDefault}, false
}

// refused reports whether a layer had a value for the path that was refused already.
func (e *effective) refused(path string) bool {
	return slices.ContainsFunc(e.layers, func(l layer) bool { return l.bad[path] })
}

// problem adds a problem with the value at a path. A value that stands nowhere is reported where its nearest parent does.
func (e *effective) problem(path, hint, format string, args ...any) {
	o, exact := e.origin(path)
	if !exact {
		o = e.nearest(path)
		o.source = path
	}
	e.loader.problems.add(o.problem(fmt.Sprintf(format, args...), hint))
}

// nearest finds where the closest parent of a path stands. The weakest layer counts, as that is the file.
func (e *effective) nearest(path string) Origin {
	for {
		path = above(path)
		for _, l := range e.layers {
			if o, ok := l.origins[path]; ok {
				return o
			}
		}
		if path == "" {
			return Origin{Kind: FromFile, File: e.loader.file, Line: 1, Column: 1}
		}
	}
}

// above returns the path of what holds the value at a path.
func above(path string) string {
	if strings.HasSuffix(path, `"]`) {
		return path[:strings.LastIndex(path, `["`)]
	}
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}

// text returns the value at a path as its source spells it, for messages.
func (e *effective) text(path, value string) string {
	if o, ok := e.origin(path); ok {
		return o.text
	}
	return value
}

// required finds what is missing. A value that was refused is not missing.
func (e *effective) required(v any, t reflect.Type, at place) {
	switch t.Kind() {
	case reflect.Struct:
		m, _ := v.(map[string]any)
		for _, f := range fieldsOf(t) {
			inner, set := m[f.name]
			path := at.member(f.name)
			list, isList := inner.([]any)
			switch {
			case e.refused(path.path):
			case f.required && !set:
				e.problem(path.path, "", "is required")
			case f.required && isList && len(list) == 0:
				e.problem(path.path, "", "needs at least one entry")
			case set:
				e.required(inner, f.typ, path)
			}
		}
	case reflect.Slice:
		list, _ := v.([]any)
		for i, item := range list {
			if item != nil {
				e.required(item, t.Elem(), at.index(i))
			}
		}
	case reflect.Map:
		m, _ := v.(map[string]any)
		if t.Elem().Kind() != reflect.Struct {
			return
		}
		for _, key := range keysOf(m) {
			e.required(m[key], t.Elem(), at.member(key))
		}
	}
}

// check applies the rules that concern more than one value.
func (e *effective) check() {
	e.checkSigner()
	e.checkTrust()
	e.checkSignature()
	e.checkRegistry()
	e.checkTags()
	e.checkGates()
}

func (e *effective) checkSigner() {
	name := e.publish.Signer
	if _, ok := e.publish.Signers[name]; ok || name == "" || e.refused(member("signers", name)) {
		return
	}
	known := keysOf(e.publish.Signers)
	e.problem("signer", "add it under signers:, or name one that is there", "there is no signer %q%s%s",
		e.text("signer", name), listed("; there are ", known), didYouMean(name, known))
}

// checkTrust makes sure that each signer's trust is one thing: keys, or one whole identity.
func (e *effective) checkTrust() {
	for _, name := range keysOf(e.publish.Signers) {
		t, path := e.publish.Signers[name].Trust, member("signers", name)+".trust"
		key := len(t.PublicKey) > 0 || e.refused(member(path, "publicKey"))
		switch {
		case key && t.Keyless():
			e.problem(member(path, "publicKey"), "sign with a key and trust it, or without one and trust issuer and subject",
				"a key and an identity cannot both be trusted")
		case key:
			for _, root := range roots(t) {
				e.problem(member(path, root), "remove it, or trust issuer and subject in place of the key", "a key needs no trusted root")
			}
		case t.Keyless() || len(roots(t)) > 0:
			e.oneOf(path, "issuer", t.Issuer, t.IssuerRegExp)
			e.oneOf(path, "subject", t.Subject, t.SubjectRegExp)
			e.checkRoots(path, t)
		}
	}
}

// roots names the fields that say where the trusted root comes from.
func roots(t Trust) []string {
	var names []string
	for _, f := range []struct{ name, value string }{{"trustedRoot", t.TrustedRoot}, {"tufMirror", t.TUFMirror}, {"tufRoot", t.TUFRoot}} {
		if f.value != "" {
			names = append(names, f.name)
		}
	}
	return names
}

// checkRoots makes sure that the trusted root comes from one place.
func (e *effective) checkRoots(path string, t Trust) {
	switch {
	case t.TrustedRoot != "" && t.TUFMirror != "":
		e.problem(member(path, "tufMirror"), "remove one of them", "trustedRoot stands there, too: nothing is left to fetch")
	case t.TUFRoot != "" && t.TUFMirror == "" && !e.refused(member(path, "tufMirror")):
		e.problem(member(path, "tufRoot"), "add tufMirror: URL", "begins the trust in a TUF mirror, and none is named")
	}
}

func (e *effective) checkSignature() {
	if s := e.publish.Signature; s.Batch && s.Format == FormatLegacy {
		e.problem("signature.batch", "write format: bundle, or both", "a legacy signature covers one artifact: there is nothing to put together")
	}
	if e.publish.Signature.Format != FormatLegacy {
		return
	}
	for _, a := range []struct {
		path string
		on   bool
	}{{"provenance", e.publish.Provenance}, {"sbom", e.publish.SBOM}} {
		if a.on {
			e.problem(a.path, "write signature.format: bundle, or both", "an attestation is a bundle, and beside a bundle Flux and cosign look at no legacy signature")
		}
	}
}

// oneOf wants one part of an identity, exactly or as a pattern, and not both.
func (e *effective) oneOf(path, name, exact, pattern string) {
	refused := e.refused(member(path, name)) || e.refused(member(path, name+"RegExp"))
	switch {
	case exact != "" && pattern != "":
		e.problem(member(path, name+"RegExp"), "remove one of them", "%s stands there, too", name)
	case exact == "" && pattern == "" && !refused:
		e.problem(member(path, name), "issuer and subject together are an identity: one alone could be anybody's", "is required, or %sRegExp", name)
	}
}

func (e *effective) checkRegistry() {
	r := e.publish.Registry
	e.pair("registry.credentials", "username", "password", string(r.Credentials.Username), string(r.Credentials.Password))
	e.pair("registry.tls", "cert", "key", r.TLS.Cert, r.TLS.Key)
	if _, isLayout := r.Layout(); isLayout {
		return
	}
	if r.Insecure && r.TLS != (TLS{}) {
		e.problem("registry.insecure", "remove insecure, or tls", "plain HTTP leaves no use for registry.tls")
	}
}

// pair refuses one of two values that are of no use without the other.
func (e *effective) pair(path, first, second, a, b string) {
	if a != "" && b == "" && !e.refused(member(path, second)) {
		e.problem(member(path, first), "", "needs %s, too", second)
	}
	if b != "" && a == "" && !e.refused(member(path, first)) {
		e.problem(member(path, second), "", "needs %s, too", first)
	}
}
