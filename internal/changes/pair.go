package changes

import (
	"cmp"
	"regexp"
	"slices"
)

// change is an object of the set before, after, or both.
type change struct{ before, after *entry }

// any returns the newer of the two.
func (c change) any() *entry {
	if c.after != nil {
		return c.after
	}
	return c.before
}

// op says what happened.
func (c change) op() Op {
	switch {
	case c.before == nil:
		return Added
	case c.after == nil:
		return Removed
	default:
		return Changed
	}
}

// pair matches the objects of two sets by key and returns those that differ, by kind, namespace and name. Objects that
// share a key within a set are matched in their order.
func pair(before, after []entry) []change {
	waiting := map[key][]*entry{}
	for i := range before {
		e := &before[i]
		waiting[e.key] = append(waiting[e.key], e)
	}
	var changes []change
	var added, removed []*entry
	for i := range after {
		e := &after[i]
		old := waiting[e.key]
		if len(old) == 0 {
			added = append(added, e)
			continue
		}
		waiting[e.key] = old[1:]
		if !same(old[0], e) {
			changes = append(changes, change{old[0], e})
		}
	}
	for i := range before {
		e := &before[i]
		if left := waiting[e.key]; len(left) > 0 && left[0] == e {
			waiting[e.key] = left[1:]
			removed = append(removed, e)
		}
	}
	changes = append(changes, pairGenerated(removed, added)...)
	slices.SortStableFunc(changes, func(x, y change) int {
		a, b := x.any(), y.any()
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name), cmp.Compare(a.group, b.group))
	})
	return changes
}

// same says whether two objects mean the same.
func same(a, b *entry) bool {
	if a.node == nil || b.node == nil {
		return a.raw == b.raw && a.node == b.node
	}
	return equal(a.node, b.node)
}

// generated matches the hash that kustomize appends to the names of generated ConfigMaps and Secrets
// (kustomize/api/hasher: ten characters of this alphabet).
var generated = regexp.MustCompile(`-[2456789bcdfghkmt]{10}$`)

// pairGenerated makes one change of a generated object whose hash changed, when there is no doubt which one it is.
func pairGenerated(removed, added []*entry) []change {
	olds, news := byStem(removed), byStem(added)
	var changes []change
	for _, e := range removed {
		if stem, ok := stemOf(e); ok && len(olds[stem]) == 1 && len(news[stem]) == 1 {
			changes = append(changes, change{e, news[stem][0]})
			continue
		}
		changes = append(changes, change{before: e})
	}
	for _, e := range added {
		if stem, ok := stemOf(e); !ok || len(olds[stem]) != 1 || len(news[stem]) != 1 {
			changes = append(changes, change{after: e})
		}
	}
	return changes
}

func byStem(entries []*entry) map[key][]*entry {
	stems := map[key][]*entry{}
	for _, e := range entries {
		if stem, ok := stemOf(e); ok {
			stems[stem] = append(stems[stem], e)
		}
	}
	return stems
}

// stemOf returns the key of a generated object without its hash.
func stemOf(e *entry) (key, bool) {
	at := generated.FindStringIndex(e.name)
	if at == nil || e.group != "" || e.kind != "ConfigMap" && e.kind != "Secret" {
		return key{}, false
	}
	stem := e.key
	stem.name = e.name[:at[0]]
	return stem, true
}
