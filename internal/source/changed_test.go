package source

import (
	"slices"
	"strings"
	"testing"
)

func TestChanged(t *testing.T) {
	r := newRepo(t)
	r.write(".gitignore", "ignored\n")
	r.write("fleet/a", "1")
	r.write("fleet/sub/gone", "1")
	r.write("fleet/moved", "a file that is long enough to be taken for a rename\n")
	r.write("outside", "1")
	first := r.commit("first")
	r.git("mv", "fleet/moved", "fleet/to")
	r.git("rm", "--quiet", "fleet/sub/gone")
	r.write("fleet/a", "2")
	r.write("outside", "2")
	second := r.commit("second")
	r.write("fleet/new", "1")
	r.write("fleet/ignored", "1")

	h := r.history()
	h.Dir += "/fleet"
	tests := map[string]struct {
		rev  string
		want []string // nil: it cannot be told
	}{
		"commit":    {first, []string{"a", "ignored", "moved", "new", "sub/gone", "to"}},
		"name":      {"HEAD~1", []string{"a", "ignored", "moved", "new", "sub/gone", "to"}},
		"head":      {second, []string{"ignored", "new"}},
		"unknown":   {strings.Repeat("a", 40), nil},
		"no commit": {"HEAD:fleet", nil},
		"an option": {"--all", nil},
		"empty":     {"", nil},
	}
	for name, tt := range tests {
		got, ok, err := h.Changed(t.Context(), tt.rev)
		slices.Sort(got)
		if err != nil || ok != (tt.want != nil) || !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, %v, %v, want %q", name, got, ok, err, tt.want)
		}
	}
}
