package gate

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/artifactctl/artifactctl/internal/finding"
	"github.com/artifactctl/artifactctl/internal/render/cache"
)

// protocol is counted up when what is kept in the cache changes its form.
const protocol = "1"

// memory is what earlier runs have found. A nil memory knows nothing.
type memory struct {
	cache *cache.Cache
}

func newMemory(c *cache.Cache) *memory {
	if c == nil {
		return nil
	}
	return &memory{cache: c}
}

// question is what a result answers: which gate, about what.
type question struct {
	gate, subject string
	content       string // digest of what is judged
}

// key names a question.
func (m *memory) key(q question) cache.Key {
	return m.cache.KeyOf("gate", protocol, q.gate, q.subject, q.content)
}

// identity makes one value of what a judge's results depend on.
func (m *memory) identity(fields []string) cache.Key {
	return m.cache.KeyOf(append([]string{"judge", protocol}, fields...)...)
}

// recall returns the findings of an earlier run by the same judge, if holds says that what it used is as it was.
func (m *memory) recall(q question, judge cache.Key, holds func([]use) bool) ([]finding.Finding, bool) {
	if m == nil {
		return nil, false
	}
	key := m.key(q)
	for entry := range m.cache.Entries(key) {
		var uses []use
		if entry.Renderer != judge || json.Unmarshal(entry.Inputs, &uses) != nil || !holds(uses) {
			continue
		}
		content, ok := m.cache.Result(key, entry)
		var findings []finding.Finding
		if ok && json.Unmarshal(content, &findings) == nil {
			return findings, true
		}
	}
	return nil, false
}

// keep stores findings that refuse nothing.
func (m *memory) keep(q question, judge cache.Key, uses []use, findings []finding.Finding, cost time.Duration) {
	if m == nil || !keepable(findings) {
		return
	}
	inputs, err := json.Marshal(uses)
	if err != nil {
		return
	}
	content, err := json.Marshal(findings)
	if err != nil {
		return
	}
	m.cache.Put(m.key(q), cache.Entry{Renderer: judge, Inputs: inputs, Cost: cost}, content)
}

func keepable(findings []finding.Finding) bool {
	for _, f := range findings {
		if f.Severity == finding.Error || f.Broken {
			return false
		}
	}
	return true
}

// identify returns what the results of a kubeconform gate depend on besides the manifests and the schemas.
func (c *conform) identify(self string, severity finding.Severity) []string {
	fields := []string{"kubeconform", KubeconformVersion, self, string(severity), c.version,
		strconv.FormatBool(c.Strict), strconv.FormatBool(c.fleetCRDs), strconv.FormatBool(c.IgnoreMissingSchemas)}
	for _, list := range [][]string{c.Schemas, c.IgnoreKinds, c.RejectKinds, c.IgnoreFiles} {
		fields = append(fields, fmt.Sprint(len(list)))
		fields = append(fields, list...)
	}
	return fields
}

// definitions returns what an app defines, from the cache where it is known.
func (m *memory) definitions(ctx context.Context, app App) ([]crd, error) {
	if m == nil {
		return load(ctx, app)
	}
	key := m.cache.KeyOf("definitions", protocol, app.Content)
	for entry := range m.cache.Entries(key) {
		var kept []crd
		if content, ok := m.cache.Result(key, entry); ok && json.Unmarshal(content, &kept) == nil {
			return kept, nil
		}
	}
	all, err := load(ctx, app)
	if err != nil {
		return nil, err
	}
	if content, err := json.Marshal(all); err == nil {
		m.cache.Put(key, cache.Entry{}, content)
	}
	return all, nil
}

func load(ctx context.Context, app App) ([]crd, error) {
	files, err := app.load(ctx)
	if err != nil {
		return nil, err
	}
	return definitions(files), nil
}

// remember keeps a result: at once when the schemas that were used are known, and else when the run is over.
func (s *session) remember(g int, q question, uses []use, result finding.Result) {
	if !s.identities[g].known {
		return
	}
	findings := make([]finding.Finding, len(result.Findings))
	for i, f := range result.Findings {
		findings[i] = s.severity(g, f)
	}
	if s.gates[g].conform != nil {
		s.memory.keep(q, s.identities[g].key, uses, findings, result.Duration)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = append(s.pending, pending{gate: g, question: q, findings: findings, cost: result.Duration})
}

// store keeps the results of commands whose programs and inputs are still what they were before the first of them ran.
func (s *session) store() {
	unchanged := make([]bool, len(s.gates))
	looked := make([]bool, len(s.gates))
	for _, p := range s.pending {
		if !looked[p.gate] {
			looked[p.gate], unchanged[p.gate] = true, s.identifyCommand(s.gates[p.gate]) == s.identities[p.gate]
		}
		if unchanged[p.gate] {
			s.memory.keep(p.question, s.identities[p.gate].key, nil, p.findings, p.cost)
		}
	}
}
