// Package ci_test checks the examples of this directory against the program: they are YAML, and every command and flag
// in them exists.
package ci_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// invocation is a call of artifactctl in a shell script, up to what the shell makes of it.
var invocation = regexp.MustCompile(`(?m)^\s*artifactctl( [^>|&;#\n]*)`)

func TestCommandsExist(t *testing.T) {
	program := filepath.Join(t.TempDir(), "artifactctl.exe") // the suffix does no harm where it is not needed
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../cmd/artifactctl").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	for _, file := range examples(t) {
		found := 0
		for _, script := range scalars(documents(t, file)) {
			for _, m := range invocation.FindAllStringSubmatch(script, -1) {
				found++
				check(t, program, file, strings.Fields(m[1]))
			}
		}
		if found < 3 { // push, merge, tag
			t.Errorf("%s calls artifactctl %d times", file, found)
		}
	}
}

// check asks for help with a command line, which refuses unknown flags, and looks whose help it is.
func check(t *testing.T, program, file string, args []string) {
	t.Helper()
	var command []string
	for _, a := range args {
		if strings.HasPrefix(a, "-") || len(command) == 2 || (len(command) == 1 && command[0] != "report") {
			break
		}
		command = append(command, a)
	}
	out, err := exec.CommandContext(t.Context(), program, append(args, "--help")...).CombinedOutput()
	if want := "artifactctl " + strings.Join(command, " "); err != nil || !strings.Contains(string(out), "Usage:\n  "+want) {
		t.Errorf("%s: artifactctl %s: %v\n%s", file, strings.Join(args, " "), err, out)
	}
}

// In each example the shards know which of how many they are, by variables that --shard auto reads.
func TestShardsAreKnown(t *testing.T) {
	for file, wanted := range map[string]string{
		"github.yaml":     `"STRATEGY_JOB_INDEX":"${{ strategy.job-index }}","STRATEGY_JOB_TOTAL":"${{ strategy.job-total }}"`,
		"gitlab.yaml":     `"parallel":"4"`,
		"kubernetes.yaml": `"completionMode":"Indexed","completions":"4"`,
	} {
		if text := flat(documents(t, file)); !strings.Contains(text, wanted) {
			t.Errorf("%s does not say %s:\n%s", file, wanted, text)
		}
	}
	// Kubernetes tells a pod its index, but not how many there are.
	if text := flat(documents(t, "kubernetes.yaml")); !strings.Contains(text, `"name":"JOB_COMPLETIONS","value":"4"`) {
		t.Error("kubernetes.yaml: JOB_COMPLETIONS is not the number of completions")
	}
}

func examples(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) != 3 {
		t.Fatalf("the examples are %v (%v)", files, err)
	}
	return files
}

// documents reads all documents of a file.
func documents(t *testing.T, file string) []*yaml.Node {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var out []*yaml.Node
	for decoder := yaml.NewDecoder(f); ; {
		var node yaml.Node
		err := decoder.Decode(&node)
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		out = append(out, &node)
	}
}

// scalars returns all scalars below nodes.
func scalars(nodes []*yaml.Node) []string {
	var out []string
	for _, n := range nodes {
		if n.Kind == yaml.ScalarNode {
			out = append(out, n.Value)
		}
		out = append(out, scalars(n.Content)...)
	}
	return out
}

// flat writes nodes as "key":"value" pairs in the order of the file.
func flat(nodes []*yaml.Node) string {
	var out strings.Builder
	for _, n := range nodes {
		if n.Kind != yaml.MappingNode {
			out.WriteString(flat(n.Content))
			continue
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			out.WriteString(`"` + n.Content[i].Value + `":`)
			if value := n.Content[i+1]; value.Kind == yaml.ScalarNode {
				out.WriteString(`"` + value.Value + `",`)
				continue
			}
			out.WriteString(flat(n.Content[i+1 : i+2]))
		}
	}
	return out.String()
}
