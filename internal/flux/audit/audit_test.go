package audit_test

import (
	"bufio"
	"bytes"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/artifactctl/artifactctl/internal/flux/audit"
	"github.com/artifactctl/artifactctl/internal/flux/manifest"
)

func fleet(t *testing.T) []manifest.File {
	t.Helper()
	files, err := manifest.ReadTree("testdata/fleet")
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// expectation is what the fixture says of one object: its state, "-" for no source, and its findings.
type expectation struct {
	state string
	rules []string
}

var wantLine = regexp.MustCompile(`^\s*# want (\S+): (\S+) ?(.*)$`)

func expectations(files []manifest.File) map[string]expectation {
	all := map[string]expectation{}
	for _, f := range files {
		for lines := bufio.NewScanner(bytes.NewReader(f.Content)); lines.Scan(); {
			if m := wantLine.FindStringSubmatch(lines.Text()); m != nil {
				all[m[1]] = expectation{m[2], slices.Sorted(slices.Values(strings.Fields(m[3])))}
			}
		}
	}
	return all
}

// Each planted weakness of the fixture fleet is found, each source has the state that it should have, and nothing else is
// found.
func TestFleet(t *testing.T) {
	files := fleet(t)
	want := expectations(files)
	r := audit.Run(files, audit.Options{})
	got := map[string]expectation{}
	for _, s := range r.Sources {
		if _, twice := got[s.ID()]; twice {
			t.Errorf("%s is there twice", s.ID())
		}
		got[s.ID()] = expectation{state: string(s.State)}
	}
	for _, f := range r.Findings {
		e, ok := got[f.Object]
		if !ok {
			e.state = "-"
		}
		e.rules = append(e.rules, f.Rule)
		got[f.Object] = e
	}
	for _, id := range slices.Sorted(maps.Keys(want)) {
		e := got[id]
		slices.Sort(e.rules)
		if e.state != want[id].state || !slices.Equal(e.rules, want[id].rules) {
			t.Errorf("%s: got %s %v, want %s %v", id, e.state, e.rules, want[id].state, want[id].rules)
		}
	}
	for id, e := range got {
		if _, ok := want[id]; !ok {
			t.Errorf("%s is not in the fixture: %s %v", id, e.state, e.rules)
		}
	}
	if len(r.Sources) < 25 {
		t.Errorf("only %d sources", len(r.Sources))
	}
}

// Every rule that files alone can break is planted somewhere, so that a rule that finds nothing is noticed.
func TestFleetPlantsEveryRule(t *testing.T) {
	planted := map[string]bool{}
	for _, e := range expectations(fleet(t)) {
		for _, rule := range e.rules {
			planted[rule] = true
		}
	}
	for _, rule := range audit.Rules() {
		needsMore := strings.HasPrefix(rule.ID, "upstream-") || rule.ID == "trust-differs" // tests of their own
		if !planted[rule.ID] && !needsMore {
			t.Errorf("rule %s is planted nowhere", rule.ID)
		}
	}
}

// A finding points at the very line, and says what, why and how.
func TestFindingsAreComplete(t *testing.T) {
	files := fleet(t)
	lines := map[string][]string{}
	for _, f := range files {
		lines[f.Path] = strings.Split(string(f.Content), "\n")
	}
	for _, f := range audit.Run(files, audit.Options{}).Findings {
		if f.Message == "" || f.Why == "" || f.Fix == "" || f.Line < 1 || f.Line > len(lines[f.File]) {
			t.Errorf("incomplete: %+v", f)
			continue
		}
		line := lines[f.File][f.Line-1]
		at := map[string]string{"several-identities": "- issuer", "identity-invalid": "?!evil", "git-mode": "mode: Tag", "insecure-transport": "http", "suspended": "suspend: true"}[f.Rule]
		if f.Rule == "insecure-transport" && strings.Contains(line, "insecure: true") {
			continue
		}
		if !strings.Contains(line, at) {
			t.Errorf("%s points at %q", f.Rule, line)
		}
	}
}

// What is offered to be pasted has none of the weaknesses that it mends.
func TestBlocksMend(t *testing.T) {
	r := audit.Run(fleet(t), audit.Options{})
	n := 0
	for _, f := range r.Findings {
		if f.Block == "" {
			continue
		}
		n++
		mended := "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {name: x, namespace: y}\nspec:\n  url: oci://r.io/x\n  ref: {semver: 1.x}\n  " +
			strings.ReplaceAll(f.Block, "\n", "\n  ")
		again := audit.Run([]manifest.File{{Path: "x.yaml", Content: []byte(mended)}}, audit.Options{})
		if len(again.Sources) != 1 || again.Sources[0].State != audit.Keyless || len(again.Findings) != 0 {
			t.Errorf("%s of %s: %+v\n%s", f.Rule, f.Object, again.Findings, mended)
		}
	}
	if n == 0 {
		t.Error("there is no block")
	}
}

func TestMergedIdentityAcceptsBoth(t *testing.T) {
	for _, f := range audit.Run(fleet(t), audit.Options{}).Findings {
		if f.Rule != "several-identities" {
			continue
		}
		var block struct {
			Verify struct {
				MatchOIDCIdentity []struct{ Issuer, Subject string } `yaml:"matchOIDCIdentity"`
			}
		}
		if err := yaml.Unmarshal([]byte(f.Block), &block); err != nil || len(block.Verify.MatchOIDCIdentity) != 1 {
			t.Fatalf("%v\n%s", err, f.Block)
		}
		re := regexp.MustCompile(block.Verify.MatchOIDCIdentity[0].Subject)
		for subject, want := range map[string]bool{
			"https://github.com/org/fleet/.github/workflows/publish.yaml@refs/heads/main":  true,
			"https://github.com/org/fleet/.github/workflows/release.yaml@refs/tags/v1.0.0": true,
			"https://github.com/org/fleet/.github/workflows/publish.yaml@refs/tags/v1.0.0": false,
			"xhttps://github.com/org/fleet/.github/workflows/publish.yaml@refs/heads/main": false,
		} {
			if re.MatchString(subject) != want {
				t.Errorf("%s: %v for %s", re, !want, subject)
			}
		}
	}
}

const (
	issuer  = "https://token.actions.githubusercontent.com"
	subject = "https://github.com/org/fleet/.github/workflows/publish.yaml@refs/heads/main"
)

func TestOwnRepositories(t *testing.T) {
	var key []byte
	for _, f := range fleet(t) {
		if f.Path == "apps/secrets.yaml" {
			text := string(f.Content)
			text = text[strings.Index(text, "-----BEGIN PUBLIC"):]
			key = []byte(strings.ReplaceAll(text[:strings.Index(text, "-----END PUBLIC KEY-----")+24], "    ", ""))
		}
	}
	block := "verify:\n  provider: cosign\n"
	for name, tt := range map[string]struct {
		own  audit.Own
		want []string // rules of the object, besides what the fixture says
		id   string
	}{
		"identity fits":        {audit.Own{Repository: "ghcr.io/org/rolling", Issuer: issuer, Subject: subject}, nil, "OCIRepository/apps/rolling"},
		"identity differs":     {audit.Own{Repository: "ghcr.io/org/rolling", Issuer: issuer, Subject: subject + "2"}, []string{"trust-differs"}, "OCIRepository/apps/rolling"},
		"a key is trusted":     {audit.Own{Repository: "ghcr.io/org/rolling", Keys: [][]byte{key}}, []string{"trust-differs"}, "OCIRepository/apps/rolling"},
		"key fits":             {audit.Own{Repository: "ghcr.io/org/keyed", Keys: [][]byte{key}}, nil, "OCIRepository/apps/keyed"},
		"key differs":          {audit.Own{Repository: "GHCR.io/org/keyed", Keys: [][]byte{[]byte("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n")}}, []string{"trust-differs"}, "OCIRepository/apps/keyed"},
		"identity is trusted":  {audit.Own{Repository: "ghcr.io/org/keyed", Issuer: issuer, Subject: subject}, []string{"trust-differs"}, "OCIRepository/apps/keyed"},
		"block for unverified": {audit.Own{Repository: "ghcr.io/org/nothing", Issuer: issuer, Subject: subject, Block: block}, nil, "OCIRepository/apps/nothing"},
		"broken is enough":     {audit.Own{Repository: "ghcr.io/org/anybody", Issuer: issuer, Subject: subject}, nil, "OCIRepository/apps/anybody"},
	} {
		t.Run(name, func(t *testing.T) {
			r := audit.Run(fleet(t), audit.Options{Own: []audit.Own{tt.own}})
			var extra []string
			for _, f := range r.Findings {
				if f.Object == tt.id && f.Rule == "trust-differs" {
					extra = append(extra, f.Rule)
				}
				if f.Object == tt.id && f.Rule == "unverified-source" && f.Block != block {
					t.Errorf("no block: %+v", f)
				}
			}
			if !slices.Equal(extra, tt.want) {
				t.Errorf("got %v, want %v", extra, tt.want)
			}
		})
	}
}
