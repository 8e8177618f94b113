package redact

import (
	"maps"
	"slices"
)

// automaton finds all patterns in one pass over the bytes (Aho and Corasick, 1975). Edges live in one map: a key file
// makes tens of thousands of states, most with a single edge, and a table per state would cost megabytes.
type automaton struct {
	edges map[edge]int32
	first [256]bool // bytes that begin a pattern: most text never leaves the root
	fail  []int32
	depth []int32 // length of the pattern prefix that the state stands for
	hold  []int32 // how many of the last bytes may still become part of a match
	match []int32 // length of the longest pattern that ends in the state; 0 for none
}

type edge struct {
	state int32
	b     byte
}

func newAutomaton(patterns map[string]bool) *automaton {
	a := &automaton{edges: map[edge]int32{}}
	a.addState(0)
	for _, p := range slices.Sorted(maps.Keys(patterns)) {
		a.insert(p)
	}
	a.link()
	return a
}

func (a *automaton) addState(depth int32) int32 {
	a.fail = append(a.fail, 0)
	a.depth = append(a.depth, depth)
	a.match = append(a.match, 0)
	return int32(len(a.depth) - 1)
}

func (a *automaton) insert(pattern string) {
	state := int32(0)
	for i := range len(pattern) {
		e := edge{state, pattern[i]}
		next, ok := a.edges[e]
		if !ok {
			next = a.addState(int32(i + 1))
			a.edges[e] = next
		}
		state = next
	}
	a.first[pattern[0]] = true
	a.match[state] = int32(len(pattern))
}

// link sets the failure links, shallow states first, and lets each state know the matches of its suffixes. A state
// without edges holds back no more than the suffix that it goes on from.
func (a *automaton) link() {
	type child struct {
		edge
		state int32
	}
	byDepth := make([]child, 0, len(a.edges))
	for e, s := range a.edges {
		byDepth = append(byDepth, child{e, s})
	}
	slices.SortFunc(byDepth, func(x, y child) int { return int(a.depth[x.state] - a.depth[y.state]) })
	a.hold = make([]int32, len(a.depth))
	for _, c := range byDepth {
		a.hold[c.edge.state] = a.depth[c.edge.state]
	}
	for _, c := range byDepth {
		if c.edge.state != 0 {
			a.fail[c.state] = a.next(a.fail[c.edge.state], c.b)
		}
		a.match[c.state] = max(a.match[c.state], a.match[a.fail[c.state]])
		a.hold[c.state] = max(a.hold[c.state], a.hold[a.fail[c.state]])
	}
}

// next returns the state after b.
func (a *automaton) next(state int32, b byte) int32 {
	for {
		if state == 0 && !a.first[b] {
			return 0
		}
		if next, ok := a.edges[edge{state, b}]; ok {
			return next
		}
		state = a.fail[state]
	}
}

// masker runs an automaton over a stream. It holds back exactly those bytes that may still become part of a secret,
// so its output does not depend on where the input was cut.
type masker struct {
	auto   *automaton
	state  int32
	held   []byte
	spans  []span // the secrets in held, in order, apart from each other
	inside bool   // the last byte let out belonged to a secret
}

type span struct{ start, end int } // held[start:end]

// feed takes p and appends to out all that is decided.
func (m *masker) feed(out, p []byte) []byte {
	end := len(m.held)
	m.held = append(m.held, p...)
	for _, b := range p {
		end++
		m.state = m.auto.next(m.state, b)
		if n := int(m.auto.match[m.state]); n > 0 {
			m.mark(span{end - n, end})
		}
	}
	return m.release(out, len(m.held)-int(m.auto.hold[m.state]))
}

// mark adds a span that ends after all others, and joins those that it overlaps or touches.
func (m *masker) mark(s span) {
	for n := len(m.spans); n > 0 && m.spans[n-1].end >= s.start; n = len(m.spans) {
		s.start = min(s.start, m.spans[n-1].start)
		m.spans = m.spans[:n-1]
	}
	m.spans = append(m.spans, s)
}

// flush appends all that was held back.
func (m *masker) flush(out []byte) []byte {
	m.state = 0
	return m.release(out, len(m.held))
}

// release lets the first n held bytes out; a span that reaches beyond them stays for the rest.
func (m *masker) release(out []byte, n int) []byte {
	pos := 0
	var rest []span
	for _, s := range m.spans {
		if s.start < n {
			out = m.show(out, m.held[pos:s.start])
			out = m.blank(out)
			pos = min(s.end, n)
		}
		if s.end > n {
			rest = append(rest, span{max(s.start-n, 0), s.end - n})
		}
	}
	out = m.show(out, m.held[pos:n])
	m.held = append(m.held[:0], m.held[n:]...)
	m.spans = rest
	return out
}

func (m *masker) show(out, p []byte) []byte {
	if len(p) > 0 {
		m.inside = false
	}
	return append(out, p...)
}

func (m *masker) blank(out []byte) []byte {
	if m.inside {
		return out
	}
	m.inside = true
	return append(out, Replacement...)
}
