package gate

import (
	"slices"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	tests := []struct {
		line string
		want []string
		err  string
	}{
		{line: "conftest test --policy policy -", want: []string{"conftest", "test", "--policy", "policy", "-"}},
		{line: " a\t b\nc ", want: []string{"a", "b", "c"}},
		{line: `sh -c 'cat | grep "$X" && exit 1'`, want: []string{"sh", "-c", `cat | grep "$X" && exit 1`}},
		{line: `a "b c"d '' ""`, want: []string{"a", "b cd", "", ""}},
		{line: `a\ b "c\"d\\e\f" '\'`, want: []string{"a b", `c"d\e\f`, `\`}},
		{line: `a \$HOME \|`, want: []string{"a", "$HOME", "|"}},
		{line: `kubectl apply -f {manifests} *.yaml ~/x a=b#c`, want: []string{"kubectl", "apply", "-f", "{manifests}", "*.yaml", "~/x", "a=b#c"}},
		{line: "", err: "the command is empty"},
		{line: " \n", err: "the command is empty"},
		{line: "a 'b", err: "the quote ' has no end"},
		{line: `a \`, err: "nothing follows the last backslash"},
		{line: "cat | grep x", err: "| would need a shell"},
		{line: "a > b", err: "> would need a shell"},
		{line: "a $HOME", err: "$ would need a shell"},
		{line: `a "$HOME"`, err: "$ would need a shell"},
		{line: "a `b`", err: "` would need a shell"},
		{line: "a; b", err: "; would need a shell"},
		{line: "a && b", err: "& would need a shell"},
	}
	for _, test := range tests {
		got, err := Split(test.line)
		if test.err == "" && (err != nil || !slices.Equal(got, test.want)) {
			t.Errorf("%s: got %q, %v, want %q", test.line, got, err, test.want)
		}
		if test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
			t.Errorf("%s: got %v, want %q", test.line, err, test.err)
		}
	}
}
