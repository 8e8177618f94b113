package identity_test

import (
	"regexp"
	"testing"

	"github.com/artifactctl/artifactctl/internal/flux/identity"
)

func TestExactMatchesNothingElse(t *testing.T) {
	subject := "https://github.com/org/fleet/.github/workflows/publish.yaml@refs/heads/main"
	re := regexp.MustCompile(identity.Exact(subject))
	if !re.MatchString(subject) {
		t.Fatal("it does not match its own text")
	}
	for _, other := range []string{subject + "2", "x" + subject, "https://githubXcom/org/fleet/.github/workflows/publish.yaml@refs/heads/main"} {
		if re.MatchString(other) {
			t.Errorf("it matches %s", other)
		}
	}
}

func TestAnchored(t *testing.T) {
	for _, tt := range []struct {
		pattern    string
		head, tail bool
	}{
		{`^a$`, true, true},
		{`^a`, true, false},
		{`a$`, false, true},
		{`a`, false, false},
		{`^a|b$`, false, false},
		{`^a$|^b$`, true, true},
		{`^(a|b)$`, true, true},
		{`(^a|^b)$`, true, true},
		{`\Aa\z`, true, true},
		{`(?m)^a$`, false, false},
		{`^`, true, false},
		{`^.*$`, true, true},
		{`^(a$|b)`, true, false},
		{`(`, false, false},
		{``, false, false},
	} {
		head, tail := identity.Anchored(tt.pattern)
		if head != tt.head || tail != tt.tail {
			t.Errorf("Anchored(%q) = %v, %v; want %v, %v", tt.pattern, head, tail, tt.head, tt.tail)
		}
	}
}

func TestAnchor(t *testing.T) {
	for pattern, want := range map[string]string{`^a$`: `^a$`, `a`: `^a$`, `^a.*`: `^a.*$`, `a$`: `^a$`, `^a|b$`: `^(?:^a|b$)$`} {
		if got := identity.Anchor(pattern); got != want {
			t.Errorf("Anchor(%q) = %q, want %q", pattern, got, want)
		}
	}
	if regexp.MustCompile(identity.Anchor(`^a|b$`)).MatchString("ab") {
		t.Error("an alternative is still open")
	}
}

func TestSubjectBreadth(t *testing.T) {
	for _, tt := range []struct {
		pattern string
		want    identity.Breadth
	}{
		{`.*`, identity.Anybody},
		{`^.+$`, identity.Anybody},
		{`^https://github\.com/.*$`, identity.Anybody},
		{`github\.com`, identity.Anybody},
		{`^https://.*\.yaml@refs/heads/.*$`, identity.Anybody},
		{`^https://github\.com/org/.*$`, identity.Organization},
		{`^https://github.com/org/`, identity.Organization},
		{`^https://github\.com/org/[^/]+/\.github/workflows/.*$`, identity.Organization},
		{`^https://github\.com/(org|other)/.*$`, identity.Organization},
		{`^https://gitlab\.com/group/.*$`, identity.Organization},
		{`^[a-z-]+@example\.com$`, identity.Organization},
		{`^https://github\.com/org/fleet/.*$`, identity.AnyWorkflow},
		{`^https://github\.com/org/fleet/\.github/workflows/[^@]+@refs/(heads|pull)/.*$`, identity.AnyWorkflow},
		{`^https://gitlab\.com/group/project//.*$`, identity.AnyWorkflow},
		{`^https://github\.com/org/fleet/\.github/workflows/publish\.yaml@.*$`, identity.AnyRef},
		{`^https://github\.com/org/fleet/\.github/workflows/publish\.yaml@refs/heads/.*$`, identity.AnyRef},
		{`^https://github\.com/org/fleet/\.github/workflows/publish\.yaml@refs/heads/main$`, identity.One},
		{`^https://github\.com/org/fleet/\.github/workflows/publish\.yaml@refs/(heads/main|tags/v[0-9.]+)$`, identity.One},
		{`^https://github\.com/org/fleet/\.github/workflows/publish\.yaml@refs/tags/v.*$`, identity.One},
		{`^https://github\.com/org/(a|b)/\.github/workflows/publish\.yaml@refs/heads/main$`, identity.One},
		{`^https://gitlab\.com/group/project//\.gitlab-ci\.yml@refs/heads/main$`, identity.One},
		{`^release@example\.com$`, identity.One},
		{`^https://kubernetes\.io/namespaces/ci/serviceaccounts/publisher$`, identity.One},
		{`(`, identity.One},
	} {
		if got := identity.SubjectBreadth(tt.pattern); got != tt.want {
			t.Errorf("SubjectBreadth(%q) = %d, want %d", tt.pattern, got, tt.want)
		}
	}
}

func TestIssuerBroad(t *testing.T) {
	for pattern, want := range map[string]bool{
		`^https://token\.actions\.githubusercontent\.com$`: false,
		`^https://gitlab\.(?:com|example\.com)$`:           false,
		`https://token.actions.githubusercontent.com`:      false, // open, which is another matter
		`^https://.*$`:           true,
		`.*`:                     true,
		`^https://gitlab\..*$`:   true,
		`^https://accounts\..+$`: true,
		`^$`:                     false,
	} {
		if got := identity.IssuerBroad(pattern); got != want {
			t.Errorf("IssuerBroad(%q) = %v, want %v", pattern, got, want)
		}
	}
}

func TestLooseDots(t *testing.T) {
	for pattern, want := range map[string]bool{
		`^https://token\.actions$`: false,
		`^https://token.actions$`:  true,
		`^v[0-9.]+$`:               false,
		`^.*$`:                     false,
		`publish.yaml`:             true,
		`^refs/tags/v.*$`:          false,
	} {
		if got := identity.LooseDots(pattern); got != want {
			t.Errorf("LooseDots(%q) = %v, want %v", pattern, got, want)
		}
	}
}
