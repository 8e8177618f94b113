package render

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"path/filepath"
	"slices"

	"github.com/artifactctl/artifactctl/internal/render/fault"
	"github.com/artifactctl/artifactctl/internal/render/inputs"
	"github.com/artifactctl/artifactctl/internal/render/tree"
)

// Materials is what an app was rendered from.
type Materials struct {
	// Files are those that were read, sorted by path. There is none where that is not known: when kustomize ran helm or
	// fetched a base.
	Files []Material
	// Remotes are the URLs that kustomizations name and kustomize fetches, without credentials, in order and each once.
	// What they gave is not known.
	Remotes []string
	// Charts are those that kustomize inflated.
	Charts []Chart
}

// Material is a file that was read.
type Material struct {
	Path   string // relative to Request.Root, links resolved, slash-separated
	SHA256 string // of its content, in hex
}

// Chart is a Helm chart that a kustomization names.
type Chart = tree.Chart

// MaterialsOf tells what the result of a request was made from. In Tree mode that is the files themselves: what their
// kustomizations name is fetched by the cluster.
func MaterialsOf(r Request, result Result) (Materials, error) {
	var m Materials
	if r.Mode == Tree {
		name, err := filepath.Rel(r.Root, r.Dir)
		if err != nil {
			return m, fmt.Errorf("find %s: %w", r.Dir, err)
		}
		for p, content := range result.Files {
			sum := sha256.Sum256(content)
			m.Files = append(m.Files, Material{path.Join(filepath.ToSlash(name), p), hex.EncodeToString(sum[:])})
		}
		m.sort()
		return m, nil
	}
	record, err := inputs.Decode(result.record)
	if err != nil {
		return m, err
	}
	for _, in := range record {
		if in.Read {
			m.Files = append(m.Files, Material{in.Target, hex.EncodeToString(in.Sum[:])})
		}
	}
	m.sort()
	if !r.RemoteBases && !r.Helm {
		return m, nil
	}
	fetched, err := tree.Fetched(r.Dir, r.Root)
	if err != nil {
		return m, err
	}
	if r.RemoteBases {
		m.Remotes = clean(fetched.Remotes)
	}
	if r.Helm {
		m.Charts = fetched.Charts
		for i := range m.Charts {
			m.Charts[i].Repository = fault.Redact(m.Charts[i].Repository)
		}
	}
	return m, nil
}

func (m *Materials) sort() {
	slices.SortFunc(m.Files, func(a, b Material) int { return cmp.Compare(a.Path, b.Path) })
	m.Files = slices.Compact(m.Files)
}

// clean takes credentials out of URLs.
func clean(urls []string) []string {
	for i := range urls {
		urls[i] = fault.Redact(urls[i])
	}
	slices.Sort(urls)
	return slices.Compact(urls)
}
