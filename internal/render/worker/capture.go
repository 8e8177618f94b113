package worker

import (
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"strings"
)

// maxCaptured bounds what is kept of a build's standard error; the rest is dropped.
const maxCaptured = 1 << 20

// capture collects what one build writes to os.Stderr, os.Stdout and the standard logger.
type capture struct {
	pipe           *os.File
	text           chan string
	stdout, stderr *os.File // as they were
}

// startCapture takes the streams over. Log lines go to the real standard error as well: log.Fatal ends the process
// right after them, and then the parent is the only one who can still read.
func startCapture() (*capture, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c := &capture{pipe: w, text: make(chan string, 1), stdout: os.Stdout, stderr: os.Stderr}
	go func() {
		defer func() { _ = r.Close() }()
		text, _ := io.ReadAll(io.LimitReader(r, maxCaptured))
		_, _ = io.Copy(io.Discard, r)
		c.text <- string(text)
	}()
	os.Stdout, os.Stderr = w, w
	log.SetOutput(io.MultiWriter(w, c.stderr))
	return c, nil
}

// mark says that the kustomization called name is what follows. It travels in the stream itself, so it is in order.
func (c *capture) mark(name string) {
	_, _ = fmt.Fprintf(c.pipe, "\x00%s\x00", name)
}

// stop gives the streams back and returns what was written.
func (c *capture) stop() string {
	os.Stdout, os.Stderr = c.stdout, c.stderr
	log.SetOutput(c.stderr)
	_ = c.pipe.Close()
	return <-c.text
}

// Texts of kustomize (api/types/kustomization.go and api/internal/accumulator/resaccumulator.go).
const (
	deprecationPrefix = "# Warning: "
	unusedVarsPrefix  = "well-defined vars that were never replaced: "
)

// warnings turns captured text into one line for each warning: once, in order of appearance, the deprecations with the
// kustomization that they are about.
func warnings(text string, words func(string) string) []string {
	var lines []string
	file := ""
	for _, line := range strings.Split(text, "\n") {
		for {
			before, marked, ok := strings.Cut(line, "\x00")
			if !ok {
				break
			}
			lines = addWarning(lines, before, file, words)
			file, line, _ = strings.Cut(marked, "\x00")
		}
		lines = addWarning(lines, line, file, words)
	}
	return lines
}

func addWarning(lines []string, line, file string, words func(string) string) []string {
	line = strings.TrimSpace(line)
	if text, ok := strings.CutPrefix(line, deprecationPrefix); ok {
		line = file + ": " + text
	}
	if names, ok := strings.CutPrefix(line, unusedVarsPrefix); ok { // in the random order of a map
		sorted := strings.Split(names, ",")
		slices.Sort(sorted)
		line = unusedVarsPrefix + strings.Join(sorted, ",")
	}
	if line = words(line); line == "" || slices.Contains(lines, line) {
		return lines
	}
	return append(lines, line)
}
