package engine

import (
	"cmp"
	"slices"
)

// Partition spreads work of these costs over n shards of about equal cost, and returns the indices of each shard in
// order. It is the longest-processing-time rule: the costliest first, each to the shard that has the least. The result
// depends on nothing but the arguments, so that machines that know the same costs agree without a word.
func Partition(costs []int64, n int) [][]int {
	order := make([]int, len(costs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(costs[b], costs[a]) })
	shards, loads := make([][]int, n), make([]int64, n)
	for _, i := range order {
		least := 0
		for s := range loads {
			if loads[s] < loads[least] || (loads[s] == loads[least] && len(shards[s]) < len(shards[least])) {
				least = s
			}
		}
		shards[least] = append(shards[least], i)
		loads[least] += costs[i]
	}
	for _, s := range shards {
		slices.Sort(s)
	}
	return shards
}
