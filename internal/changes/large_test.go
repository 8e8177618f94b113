package changes

import (
	"fmt"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

// definition is an object of about size bytes, laid out as kustomize prints it; value is in its middle.
func definition(name, value string, size int) string {
	var out strings.Builder
	fmt.Fprintf(&out, "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: %s\nspec:\n  properties:\n", name)
	for i := 0; out.Len() < size; i++ {
		if i == size/200 {
			fmt.Fprintf(&out, "    changing:\n      description: %s\n", value)
		}
		fmt.Fprintf(&out, "    field%d:\n      description: describes the field number %d in as many words as it takes to fill a line\n      type: string\n", i, i)
	}
	return out.String()
}

func TestLargeObjects(t *testing.T) {
	edit := "-      description: old\n+      description: new\n"
	for _, size := range []int{largeObject / 2, largeObject * 2, 10 << 20} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			got := summary(New([]byte("k")).Compare(one(definition("a", "old", size)), one(definition("a", "new", size))))
			if !strings.HasPrefix(got, "changed apiextensions.k8s.io/v1 CustomResourceDefinition - a\n@@ -") || !strings.Contains(got, edit) || strings.Count(got, "\n") != 10 {
				t.Errorf("got:\n%.3000s", got)
			}
		})
	}
}

func TestBounds(t *testing.T) {
	c := New([]byte("k"))
	big := definition("a", "x", 2<<20)
	var noisy strings.Builder
	for line := range strings.Lines(big) {
		noisy.WriteString(strings.Replace(line, "describes", "says", 1))
	}
	list := func(name string) string {
		item := "- {apiVersion: v1, kind: A, metadata: {name: " + name + "}, x: " + strings.Repeat("x", 900) + "}\n"
		return "apiVersion: v1\nkind: List\nitems:\n" + strings.Repeat(item, 3000)
	}
	tests := []struct {
		name          string
		before, after artifact.Files
		want          string
	}{
		{"added", nil, one(big), " more lines\n"},
		{"removed", one(big), nil, " more lines\n"},
		{"all of it changed", one(big), one(noisy.String()), " more lines\n"},
		{"text file", artifact.Files{"a": []byte(big)}, artifact.Files{"a": []byte(noisy.String())}, " more lines\n"},
		{"one long line", artifact.Files{"a": []byte("x")}, artifact.Files{"a": []byte(strings.Repeat("y", 2<<20))}, " more bytes)\n"},
		{"a large object with a Secret in it", one(big), one(big + "  objects:\n  - kind: Secret\n    data: {a: Yg==}\n"), "not shown"},
		{"a large list", one(list("a")), one(list("b")), "too large"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			objects := c.Compare(tt.before, tt.after)
			if len(objects) == 0 {
				t.Fatal("no difference")
			}
			var got strings.Builder
			for _, o := range objects {
				if n := strings.Count(o.Diff, "\n"); n > 2*maxDiffLines || len(o.Diff) > 2*maxDiffLines*maxLineLength {
					t.Fatalf("diff of %d lines, %d bytes", n, len(o.Diff))
				}
				got.WriteString(o.Diff)
			}
			if !strings.Contains(got.String(), tt.want) {
				t.Errorf("got:\n%.1000s", got.String())
			}
		})
	}
}

func TestManyChangesStayWithinBudget(t *testing.T) {
	var before, after strings.Builder
	for i := range 600 {
		before.WriteString(definition(fmt.Sprint("d", i), "old", 5000) + "---\n")
		after.WriteString(definition(fmt.Sprint("d", i), "new", 5000) + "---\n")
	}
	objects := New([]byte("k")).Compare(one(before.String()), one(after.String()))
	if len(objects) != 600 {
		t.Fatalf("%d objects, want 600", len(objects))
	}
	for _, o := range objects {
		if !strings.Contains(o.Diff, "-      description: old\n+      description: new\n") {
			t.Fatalf("%s: %s", o.Name, o.Diff)
		}
	}
}

// FuzzCompare looks for panics and for results that contradict themselves.
func FuzzCompare(f *testing.F) {
	f.Add(configMap, secret("data: {a: Yg==}\n"))
	f.Add("a: &a [*a]\n", "kind: List\napiVersion: v1\nitems: [{}]\n---\n? [a]\n: b\n")
	f.Add("<<: *a\n", "secretGenerator: [a, {literals: [b=c]}]\n")
	c := New([]byte("k"))
	f.Fuzz(func(t *testing.T, before, after string) {
		if got := c.Compare(one(before), one(after)); (len(got) == 0) != (before == after) {
			t.Errorf("%q and %q: %d differences", before, after, len(got))
		}
		again := summary(c.Compare(one(before), one(after)))
		if got := summary(c.Compare(one(before), one(after))); got != again {
			t.Errorf("two results:\n%s\n%s", got, again)
		}
	})
}

func BenchmarkCompare(b *testing.B) {
	several := func(value string) string {
		var out strings.Builder
		for i := range 20 {
			v := "same"
			if i == 10 {
				v = value
			}
			out.WriteString(definition(fmt.Sprint("d", i), v, 512<<10) + "---\n")
		}
		return out.String()
	}
	tests := []struct {
		name          string
		before, after string
	}{
		{"one of 10 MB", definition("a", "old", 10<<20), definition("a", "new", 10<<20)},
		{"one of 20 in 10 MB", several("old"), several("new")},
		{"10 MB added", "", several("new")},
		{"Secret of 1 MB", secret("data:\n  a: YQ==\n  b: " + strings.Repeat("YWFh", 256<<10)), secret("data:\n  a: Yg==\n  b: " + strings.Repeat("YWFh", 256<<10))},
		{"small", configMap, strings.Replace(configMap, `"1"`, `"2"`, 1)},
	}
	for _, tt := range tests {
		b.Run(tt.name, func(b *testing.B) {
			before, after := one(tt.before), one(tt.after)
			c := New([]byte("k"))
			b.SetBytes(int64(len(tt.before) + len(tt.after)))
			for b.Loop() {
				c.Compare(before, after)
			}
		})
	}
}
