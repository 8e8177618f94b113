package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// row is a run with its name.
type row struct {
	name string
	cost
}

// goal is a figure beside what it should be.
type goal struct{ what, measured, wanted string }

// sheet is what was measured of one fleet.
type sheet struct {
	rows  []row
	goals []goal
}

// add adds the median of some runs, if there were any.
func (s *sheet) add(name string, runs []cost) {
	if len(runs) > 0 {
		s.rows = append(s.rows, row{name, median(runs)})
	}
}

func (s *sheet) find(name string) (row, bool) {
	i := slices.IndexFunc(s.rows, func(r row) bool { return r.name == name })
	if i < 0 {
		return row{}, false
	}
	return s.rows[i], true
}

// compare adds the loops, if they were measured, and the goals.
func (s *sheet) compare(publish, diff row) {
	first, _ := s.find("first publish")
	idle, isIdle := s.find("nothing changed")
	change, isChange := s.find("one app changed")
	if publish.apps > 0 {
		s.rows = append(s.rows, publish, diff)
		s.goals = append(s.goals, goal{"first publish against the loop", times(perApp(publish.cost), perApp(first.cost)), "≥ 40 ×"},
			goal{"the same in CPU", times(cpuPerApp(publish.cost), cpuPerApp(first.cost)), ""})
		if isIdle {
			s.goals = append(s.goals, goal{"nothing changed against the loop", times(perApp(diff.cost), perApp(idle.cost)), "≥ 150 ×"},
				goal{"the same in CPU", times(cpuPerApp(diff.cost), cpuPerApp(idle.cost)), ""})
		}
	}
	if isIdle {
		s.goals = append(s.goals, goal{"nothing changed, requests per app", fmt.Sprintf("%.2f", float64(total(idle.requests))/float64(idle.apps)), "≤ 2"})
	}
	if isIdle && isChange {
		s.goals = append(s.goals, goal{"one app changed against nothing changed", ratio(change.wall, idle.wall), "≤ 1.3"})
	}
}

// print prints the tables.
func (s *sheet) print(out io.Writer, apps int) {
	fmt.Fprintln(out, "\n| run | wall | CPU | wall per app | CPU per app | requests per app | peak memory: parent | worker | CPU of the registry |")
	fmt.Fprintln(out, "|---|---:|---:|---:|---:|---:|---:|---:|---:|")
	for _, r := range s.rows {
		name := r.name
		if r.apps+1 < apps {
			name += fmt.Sprintf(" (%d apps would take %s)", apps, seconds(perApp(r.cost)*time.Duration(apps)))
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %.2f | %s | %s | %s |\n", name, seconds(r.wall), seconds(r.cpu), millis(r.wall, r.apps),
			millis(r.cpu, r.apps), float64(total(r.requests))/float64(r.apps), mebibytes(r.parent), mebibytes(r.worker), seconds(r.registry))
	}
	s.printRequests(out)
	if len(s.goals) == 0 {
		return
	}
	fmt.Fprint(out, "\n| what | measured | goal |\n|---|---:|---:|\n")
	for _, g := range s.goals {
		fmt.Fprintf(out, "| %s | %s | %s |\n", g.what, g.measured, g.wanted)
	}
}

// printRequests prints how many requests of each class each run made.
func (s *sheet) printRequests(out io.Writer) {
	classes := make(map[string]bool)
	var head, line strings.Builder
	asking := slices.DeleteFunc(slices.Clone(s.rows), func(r row) bool { return len(r.requests) == 0 })
	for _, r := range asking {
		head.WriteString(" " + r.name + " |")
		line.WriteString("---:|")
		for class := range r.requests {
			classes[class] = true
		}
	}
	if len(classes) == 0 {
		return
	}
	fmt.Fprintf(out, "\n| requests |%s\n|---|%s\n", head.String(), line.String())
	for _, class := range slices.Sorted(maps.Keys(classes)) {
		fmt.Fprintf(out, "| %s |", class)
		for _, r := range asking {
			fmt.Fprintf(out, " %d |", r.requests[class])
		}
		fmt.Fprintln(out)
	}
}

// describe says what is measured where.
func describe(out io.Writer, b *bench) {
	fmt.Fprintf(out, "# What artifactctl costs\n\n%s\n\n", machine())
	fmt.Fprintf(out, "Registry: distribution v3 on loopback, plain HTTP, a process of its own on the same processors, content in %s.\n", b.storage)
	fmt.Fprintln(out, "Signed with a P-256 key by signer-file. Times of a run are the whole process, from start to exit; CPU is user and system time")
	fmt.Fprintf(out, "with all children, without the registry. Short runs: the median of %d. The loop runs one app after the other.\n", b.repeat)
	for _, n := range b.shell.notes {
		fmt.Fprintln(out, n)
	}
}

// machine describes where this runs.
func machine() string {
	text := fmt.Sprintf("%s, %s/%s, %d processors", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, after, ok := bytes.Cut(info, []byte("model name\t: ")); ok {
			name, _, _ := bytes.Cut(after, []byte("\n"))
			text += " (" + string(name) + ")"
		}
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		text += ", kernel " + strings.TrimSpace(string(release))
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		if fields := strings.Fields(string(load)); len(fields) > 0 {
			text += ", load " + fields[0] + " when it began"
		}
	}
	return text + "."
}

func total(counts map[string]int) int {
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return sum
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

func millis(d time.Duration, apps int) string {
	return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000/float64(apps))
}

func mebibytes(bytes int64) string {
	if bytes == 0 {
		return ""
	}
	return fmt.Sprintf("%d MiB", (bytes+1<<20-1)>>20)
}

// times is how many times faster the second is; ratio how the first compares with the second.
func times(slow, fast time.Duration) string {
	return fmt.Sprintf("%.1f ×", float64(slow)/float64(max(fast, 1)))
}

func ratio(a, b time.Duration) string { return fmt.Sprintf("%.2f", float64(a)/float64(max(b, 1))) }
