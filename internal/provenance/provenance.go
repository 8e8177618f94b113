// Package provenance says where an artifact came from and what it brings along: the predicates of a SLSA provenance and of
// a CycloneDX bill of materials. It is pure: no clock, no disk, no network. The same arguments give the same bytes. It
// signs and stores nothing, and does not decide for which artifact a statement is true.
package provenance

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// The types of the predicates.
const (
	PredicateType     = "https://slsa.dev/provenance/v1"
	SBOMPredicateType = "https://cyclonedx.org/bom"
)

const manual = "https://github.com/artifactctl/artifactctl/blob/main/docs/provenance.md"

// What stands in every provenance of this program; docs/provenance.md describes both.
const (
	// BuildType names the meaning of the parameters.
	BuildType = manual + "#build-type-v1"
	// UnknownBuilder stands for a machine that no CI system vouches for.
	UnknownBuilder = manual + "#unknown-builder"
)

// maxFiles is how many files a provenance lists one by one.
const maxFiles = 1000

// Build is how an artifact came about.
type Build struct {
	App         string // name in publish.yaml
	Path        string // of the app's directory, relative to the root of the source
	Config      string // of publish.yaml, relative to the root of the source; empty when it came by standard input
	Environment string // of publish.yaml; empty for none
	Render      string // "kustomize" or "none"
	Helm        bool   // helm was allowed
	RemoteBases bool   // remote bases were allowed

	Source  Source
	Files   []File   // that were read, each once
	Remotes []string // URLs of what was fetched, without credentials
	Charts  []Chart
	Gates   []Gate // that passed

	Builder  string            // URI of who runs the build; empty means UnknownBuilder
	Versions map[string]string // of the tools
	Run      string            // URI or id of this very run; empty when no CI system gives one
	Started  string            // RFC 3339; empty when no CI system says so
}

// Source is the commit that was built.
type Source struct {
	Remote   string // URL or scp-like address, without credentials
	Commit   string // hex
	Revision string // "<branch or tag>@sha1:<commit>"
	Dirty    bool   // the tree had changes that the commit does not hold
}

// File is a file that was read, with the sha256 of its content in hex.
type File struct{ Path, SHA256 string }

// Chart is a Helm chart that was inflated.
type Chart struct{ Name, Version, Repository string }

// Gate is a check that the rendered manifests passed.
type Gate struct {
	Name    string `json:"name"`
	Status  string `json:"status,omitempty"`  // "passed", or "warned"
	Version string `json:"version,omitempty"` // of a gate that is built in
	Config  string `json:"config,omitempty"`  // digest of its configuration, "sha256:…"
}

// The predicate (https://slsa.dev/spec/v1.1/provenance).
type predicate struct {
	BuildDefinition buildDefinition `json:"buildDefinition"`
	RunDetails      runDetails      `json:"runDetails"`
}

type buildDefinition struct {
	BuildType            string       `json:"buildType"`
	ExternalParameters   external     `json:"externalParameters"`
	InternalParameters   *internal    `json:"internalParameters,omitempty"`
	ResolvedDependencies []descriptor `json:"resolvedDependencies"`
}

type external struct {
	App         string `json:"app"`
	Path        string `json:"path"`
	Config      string `json:"config,omitempty"`
	Environment string `json:"environment,omitempty"`
	Render      string `json:"render"`
	Helm        bool   `json:"helm,omitempty"`
	RemoteBases bool   `json:"remoteBases,omitempty"`
	Source      string `json:"source,omitempty"`
	Revision    string `json:"revision"`
}

type internal struct {
	Gates []Gate `json:"gates"`
}

type descriptor struct {
	Name        string            `json:"name,omitempty"`
	URI         string            `json:"uri,omitempty"`
	Digest      map[string]string `json:"digest,omitempty"`
	Annotations map[string]any    `json:"annotations,omitempty"`
}

type runDetails struct {
	Builder  builder   `json:"builder"`
	Metadata *metadata `json:"metadata,omitempty"`
}

type builder struct {
	ID      string            `json:"id"`
	Version map[string]string `json:"version,omitempty"`
}

type metadata struct {
	InvocationID string `json:"invocationId,omitempty"`
	StartedOn    string `json:"startedOn,omitempty"`
}

// Predicate returns the JSON of the SLSA provenance of a build.
func Predicate(b Build) ([]byte, error) {
	p := predicate{
		BuildDefinition: buildDefinition{
			BuildType: BuildType,
			ExternalParameters: external{
				App: b.App, Path: b.Path, Config: b.Config, Environment: b.Environment, Render: b.Render, Helm: b.Helm,
				RemoteBases: b.RemoteBases, Source: GitURI(b.Source.Remote), Revision: b.Source.Revision,
			},
			ResolvedDependencies: dependencies(b),
		},
		RunDetails: runDetails{Builder: builder{ID: cmp.Or(b.Builder, UnknownBuilder), Version: b.Versions}},
	}
	if len(b.Gates) > 0 {
		p.BuildDefinition.InternalParameters = &internal{b.Gates}
	}
	if b.Run != "" || b.Started != "" {
		p.RunDetails.Metadata = &metadata{InvocationID: b.Run, StartedOn: b.Started}
	}
	out, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("encode the provenance of %s: %w", b.App, err)
	}
	return out, nil
}

// dependencies lists the commit, then what was fetched, then the files.
func dependencies(b Build) []descriptor {
	commit := descriptor{Name: "source", Digest: map[string]string{"gitCommit": b.Source.Commit}}
	if uri := GitURI(b.Source.Remote); uri != "" {
		commit.URI = uri + "@" + b.Source.Commit
	}
	if b.Source.Dirty {
		commit.Annotations = map[string]any{"dirty": true}
	}
	all := []descriptor{commit}
	for _, r := range unique(b.Remotes) {
		all = append(all, descriptor{URI: remoteURI(r)})
	}
	charts := slices.Clone(b.Charts)
	slices.SortFunc(charts, func(a, b Chart) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Repository, b.Repository), cmp.Compare(a.Version, b.Version))
	})
	for _, c := range slices.Compact(charts) {
		all = append(all, descriptor{Name: c.Name, URI: helmURL(c.Name, c.Version, c.Repository)})
	}
	return append(all, files(b.Files)...)
}

// files lists each file or, when there are too many for a statement that people are to read and logs are to keep, the one
// digest that `sha256sum` of all of them, sorted by path, has.
func files(all []File) []descriptor {
	sorted := slices.Clone(all)
	slices.SortFunc(sorted, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	sorted = slices.Compact(sorted)
	if len(sorted) > maxFiles {
		h := sha256.New()
		for _, f := range sorted {
			fmt.Fprintf(h, "%s  %s\n", f.SHA256, f.Path)
		}
		return []descriptor{{
			Name: "files", Digest: map[string]string{"sha256": hex.EncodeToString(h.Sum(nil))}, Annotations: map[string]any{"files": len(sorted)},
		}}
	}
	out := make([]descriptor, len(sorted))
	for i, f := range sorted {
		out[i] = descriptor{Name: f.Path, Digest: map[string]string{"sha256": f.SHA256}}
	}
	return out
}

func unique(texts []string) []string {
	sorted := slices.Clone(texts)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}

// GitURI is the address of a git repository as a SPDX download location: "git+https://…", "git+ssh://…". It is empty for
// what is no address, such as the name of a directory.
func GitURI(remote string) string {
	switch scheme, _, ok := strings.Cut(remote, "://"); {
	case ok && strings.HasPrefix(scheme, "git"):
		return remote
	case ok:
		return "git+" + remote
	}
	host, path, ok := strings.Cut(remote, ":")
	if !ok || host == "" || strings.Contains(host, "/") {
		return ""
	}
	return "git+ssh://" + host + "/" + strings.TrimPrefix(path, "/")
}

// remoteURI is what kustomize fetches, as an URI: it also takes scp-like addresses, and hosts without a scheme.
func remoteURI(remote string) string {
	remote = strings.TrimPrefix(remote, "git::")
	if strings.Contains(remote, "://") {
		return remote
	}
	if strings.HasPrefix(strings.ToLower(remote), "github.com/") {
		return "https://" + remote
	}
	if uri := GitURI(remote); uri != "" {
		return uri
	}
	return remote
}
