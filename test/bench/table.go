package main

import (
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"time"
)

func title(out io.Writer, apps int, kind string) {
	fmt.Fprintf(out, "# artifactctl publishes %d small apps\n\n", apps)
	fmt.Fprintf(out, "Five objects each (base, overlay, patch, generator), signed with a P-256 key by signer-file, to a %s registry\n", kind)
	fmt.Fprintf(out, "on loopback that keeps everything in memory. %s %s/%s, %d processors, which the registry shares.\n\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
}

// times prints what the runs took.
func times(out io.Writer, runs []measurement) {
	fmt.Fprintln(out, "| run | wall | CPU | wall per app | CPU per app | peak memory |")
	fmt.Fprintln(out, "|---|---:|---:|---:|---:|---:|")
	for _, m := range runs {
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s | %d MB |\n", m.name,
			seconds(m.wall), seconds(m.cpu), millis(m.wall, m.apps), millis(m.cpu, m.apps), m.memory>>20)
	}
	fmt.Fprintln(out)
}

// requests prints how many requests of each class an app cost.
func requests(out io.Writer, runs []measurement) {
	classes := make(map[string]bool)
	fmt.Fprint(out, "| requests per app |")
	line := "|---|"
	for _, m := range runs {
		fmt.Fprintf(out, " %s |", m.name)
		line += "---:|"
		for class := range m.requests {
			classes[class] = true
		}
	}
	fmt.Fprintf(out, "\n%s\n", line)
	for _, class := range slices.Sorted(maps.Keys(classes)) {
		fmt.Fprintf(out, "| %s |", class)
		for _, m := range runs {
			fmt.Fprintf(out, " %.2f |", float64(m.requests[class])/float64(m.apps))
		}
		fmt.Fprintln(out)
	}
	fmt.Fprint(out, "| **all** |")
	for _, m := range runs {
		fmt.Fprintf(out, " **%.2f** |", float64(total(m.requests))/float64(m.apps))
	}
	fmt.Fprint(out, "\n\n")
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
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000/float64(apps))
}
