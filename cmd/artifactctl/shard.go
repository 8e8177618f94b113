package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/artifactctl/artifactctl/internal/engine"
	"github.com/artifactctl/artifactctl/internal/ui"
)

// shardFlags share a fleet between machines.
type shardFlags struct {
	shard, costs, phase string
}

func (p *program) shardFlags(cmd *cobra.Command) *shardFlags {
	f := &shardFlags{}
	cmd.Flags().StringVar(&f.shard, "shard", "", "publish one part of the fleet: INDEX/COUNT from 1/COUNT, or auto for what the CI's matrix says")
	cmd.Flags().StringVar(&f.costs, "costs", "", "report of an earlier publish in JSON, to balance shards by what the apps took; the same for all shards")
	cmd.Flags().StringVar(&f.phase, "phase", "", "do one part of the work: push (and sign), or tag what is pushed and signed; default both")
	return f
}

// jobVariables are those by which a CI system tells a job which of several it is; its index begins at first.
type jobVariables struct {
	index, count string
	first        int
}

func knownJobVariables() []jobVariables {
	return []jobVariables{
		{"CI_NODE_INDEX", "CI_NODE_TOTAL", 1},                         // GitLab, parallel
		{"STRATEGY_JOB_INDEX", "STRATEGY_JOB_TOTAL", 0},               // GitHub: contexts that the workflow puts into variables
		{"JOB_COMPLETION_INDEX", "JOB_COMPLETIONS", 0},                // Kubernetes Indexed Job; the count is set by hand
		{"BUILDKITE_PARALLEL_JOB", "BUILDKITE_PARALLEL_JOB_COUNT", 0}, // Buildkite
		{"CIRCLE_NODE_INDEX", "CIRCLE_NODE_TOTAL", 0},                 // CircleCI
	}
}

// checkShard refuses what cannot end well, before anything is read.
func (p *program) checkShard(f *shardFlags) error {
	if !slices.Contains([]string{"", "push", "tag"}, f.phase) {
		return usagef("use push or tag", "flag --phase: %q is not possible", f.phase)
	}
	switch {
	case f.shard != "" && p.flags.since != "":
		return usagef("leave one of them out", "flags --since and --shard both choose apps, and machines need not know the same inputs")
	case f.shard == "" && f.costs != "":
		return usagef("say which part of the fleet is published with --shard", "flag --costs balances shards, and there are none")
	case f.shard != "" && len(p.flags.only) > 0:
		return usagef("leave one of them out", "flags --shard and --only both choose apps")
	case f.shard != "" && f.phase == "tag":
		return usagef("run it once, for the whole fleet", "flag --phase tag: tags move when every shard is complete, so it takes no --shard")
	}
	return nil
}

// findShard says which shard this machine publishes; nil for the whole fleet.
func (p *program) findShard(f *shardFlags) (*ui.Shard, error) {
	switch f.shard {
	case "":
		return nil, nil
	case "auto":
		return p.automaticShard()
	}
	index, count, ok := strings.Cut(f.shard, "/")
	s, err := parseShard(index, count, 1)
	if !ok || err != nil {
		return nil, usagef("write --shard 2/4 for the second of four, or --shard auto", "flag --shard: %q is no shard", f.shard)
	}
	return s, nil
}

func (p *program) automaticShard() (*ui.Shard, error) {
	var looked []string
	for _, v := range knownJobVariables() {
		index, count := p.getenv(v.index), p.getenv(v.count)
		looked = append(looked, v.index+" and "+v.count)
		if index == "" && count == "" {
			continue
		}
		s, err := parseShard(index, count, v.first)
		if err != nil {
			return nil, usagef("both must be set, to whole numbers", "flag --shard auto: %s is %q and %s is %q", v.index, index, v.count, count)
		}
		return s, nil
	}
	return nil, usagef("set one pair of: "+strings.Join(looked, "; "), "flag --shard auto: no variable says which of how many jobs this is")
}

func parseShard(index, count string, first int) (*ui.Shard, error) {
	i, err := strconv.Atoi(index)
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(count)
	if err != nil {
		return nil, err
	}
	i += 1 - first
	if i < 1 || i > n {
		return nil, fmt.Errorf("%d is not from 1 to %d", i, n)
	}
	return &ui.Shard{Index: i, Count: n}, nil
}

// takeShard leaves the session the apps of its shard. Who has which follows from publish.yaml and the costs alone: all
// machines come to the same result.
func (s *session) takeShard(f *shardFlags) (*ui.Shard, error) {
	shard, err := s.findShard(f)
	if err != nil || shard == nil {
		return nil, err
	}
	known, err := readCosts(f.costs)
	if err != nil {
		return nil, err
	}
	costs := make([]int64, len(s.apps))
	for i, a := range s.apps {
		costs[i] = known(a.Name)
	}
	var mine []engine.App
	for _, i := range engine.Partition(costs, shard.Count)[shard.Index-1] {
		mine = append(mine, s.apps[i])
	}
	shard.Fleet = len(s.apps)
	s.apps = mine
	return shard, nil
}

// readCosts returns what an app costs: what it took last time, or what a usual app took.
func readCosts(path string) (func(app string) int64, error) {
	if path == "" {
		return func(string) int64 { return 1 }, nil
	}
	report, err := readReport(path)
	if err != nil {
		return nil, err
	}
	costs := report.Costs()
	all := make([]int64, 0, len(costs))
	for _, c := range costs {
		all = append(all, c)
	}
	slices.Sort(all)
	usual := int64(1)
	if len(all) > 0 {
		usual = max(1, all[len(all)/2])
	}
	return func(app string) int64 {
		if c, ok := costs[app]; ok {
			return max(1, c)
		}
		return usual
	}, nil
}

func readReport(path string) (ui.Envelope, error) {
	file, err := os.Open(path)
	if err != nil {
		return ui.Envelope{}, usagef("name files that publish -o json wrote", "read a report: %w", err)
	}
	defer func() { _ = file.Close() }()
	report, err := ui.ReadReport(file)
	if err != nil {
		return report, usagef("artifactctl publish -o json writes one", "%s: %w", path, err)
	}
	return report, nil
}
