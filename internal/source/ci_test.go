package source

import (
	"strings"
	"testing"
)

// The variables are those that the systems set, with the commit as $HEAD.
func TestDetectInCI(t *testing.T) {
	github := "GITHUB_ACTIONS=true CI=true GITHUB_SHA=$HEAD GITHUB_SERVER_URL=https://github.example GITHUB_REPOSITORY=org/fleet "
	gitlab := "GITLAB_CI=true CI=true CI_COMMIT_SHA=$HEAD CI_PROJECT_URL=https://gitlab.example/org/fleet CI_COMMIT_REF_NAME=main "
	woodpecker := "CI=woodpecker CI_COMMIT_SHA=$HEAD CI_REPO_URL=https://forge.example/org/fleet "
	buildkite := "BUILDKITE=true CI=true BUILDKITE_COMMIT=$HEAD BUILDKITE_REPO=git@github.example:org/fleet.git BUILDKITE_BRANCH=main "
	tests := []struct {
		name, env                            string
		branch, tag, version, remote, origin string // origin of branch or tag
		warning                              string
	}{
		{"GitHub branch", github + "GITHUB_EVENT_NAME=push GITHUB_REF=refs/heads/main GITHUB_REF_NAME=main GITHUB_REF_TYPE=branch", "main", "", "", "https://github.example/org/fleet", "$GITHUB_REF", ""},
		{"GitHub branch with slashes", github + "GITHUB_REF=refs/heads/feature/a/b", "feature/a/b", "", "", "https://github.example/org/fleet", "$GITHUB_REF", ""},
		{"GitHub tag", github + "GITHUB_REF=refs/tags/v1.4.2 GITHUB_REF_TYPE=tag", "", "v1.4.2", "1.4.2", "https://github.example/org/fleet", "$GITHUB_REF", ""},
		{"GitHub tag that is no version", github + "GITHUB_REF=refs/tags/nightly", "", "nightly", "", "https://github.example/org/fleet", "$GITHUB_REF", "tag nightly is no semantic version"},
		{"GitHub, short names only", github + "GITHUB_REF_NAME=v1.0.0 GITHUB_REF_TYPE=tag", "", "v1.0.0", "1.0.0", "https://github.example/org/fleet", "$GITHUB_REF_NAME", ""},
		{"GitHub, short name of a branch", github + "GITHUB_REF_NAME=main GITHUB_REF_TYPE=branch", "main", "", "", "https://github.example/org/fleet", "$GITHUB_REF_NAME", ""},
		{"GitHub pull request", github + "GITHUB_EVENT_NAME=pull_request GITHUB_REF=refs/pull/12/merge GITHUB_HEAD_REF=main GITHUB_BASE_REF=main", "pull/12/merge", "", "", "https://github.example/org/fleet", "$GITHUB_REF", ""},
		{"GitHub pull request, privileged", github + "GITHUB_EVENT_NAME=pull_request_target GITHUB_REF=refs/heads/main GITHUB_HEAD_REF=main GITHUB_BASE_REF=main", "pull/target", "", "", "https://github.example/org/fleet", "$GITHUB_HEAD_REF", ""},
		{"GitHub pull request without its head", github + "GITHUB_EVENT_NAME=pull_request_review GITHUB_REF=refs/heads/main", "pull/target", "", "", "https://github.example/org/fleet", "$GITHUB_HEAD_REF", ""},
		{"Gitea branch", "GITEA_ACTIONS=true " + github + "GITHUB_REF=refs/heads/main", "main", "", "", "https://github.example/org/fleet", "$GITHUB_REF", ""},
		{"Gitea pull request", "GITEA_ACTIONS=true " + github + "GITHUB_REF=refs/pull/3/head GITHUB_HEAD_REF=x", "pull/3/head", "", "", "https://github.example/org/fleet", "$GITHUB_REF", ""},
		{"Forgejo tag", "FORGEJO_ACTIONS=true GITEA_ACTIONS=true " + github + "GITHUB_REF=refs/tags/v2.0.0", "", "v2.0.0", "2.0.0", "https://github.example/org/fleet", "$GITHUB_REF", ""},
		{"GitLab branch", gitlab + "CI_COMMIT_BRANCH=main", "main", "", "", "https://gitlab.example/org/fleet", "$CI_COMMIT_BRANCH", ""},
		{"GitLab tag", gitlab + "CI_COMMIT_TAG=v1.0.0-rc.1", "", "v1.0.0-rc.1", "1.0.0-rc.1", "https://gitlab.example/org/fleet", "$CI_COMMIT_TAG", ""},
		{"GitLab merge request", gitlab + "CI_PIPELINE_SOURCE=merge_request_event CI_MERGE_REQUEST_IID=7 CI_MERGE_REQUEST_REF_PATH=refs/merge-requests/7/merge CI_MERGE_REQUEST_TARGET_BRANCH_NAME=main", "merge-requests/7/merge", "", "", "https://gitlab.example/org/fleet", "$CI_MERGE_REQUEST_REF_PATH", ""},
		{"GitLab merge request, number only", gitlab + "CI_MERGE_REQUEST_IID=7 CI_COMMIT_BRANCH=main", "merge-requests/7/head", "", "", "https://gitlab.example/org/fleet", "$CI_MERGE_REQUEST_IID", ""},
		{"GitLab external pull request", gitlab + "CI_EXTERNAL_PULL_REQUEST_IID=8 CI_COMMIT_BRANCH=main", "merge-requests/8/head", "", "", "https://gitlab.example/org/fleet", "$CI_EXTERNAL_PULL_REQUEST_IID", ""},
		{"Woodpecker branch", woodpecker + "CI_PIPELINE_EVENT=push CI_COMMIT_BRANCH=main", "main", "", "", "https://forge.example/org/fleet", "$CI_COMMIT_BRANCH", ""},
		{"Woodpecker tag", woodpecker + "CI_PIPELINE_EVENT=tag CI_COMMIT_TAG=v1.0.0 CI_COMMIT_BRANCH=main", "", "v1.0.0", "1.0.0", "https://forge.example/org/fleet", "$CI_COMMIT_TAG", ""},
		{"Woodpecker pull request", woodpecker + "CI_PIPELINE_EVENT=pull_request CI_COMMIT_BRANCH=main CI_COMMIT_PULL_REQUEST=9", "pull/9/head", "", "", "https://forge.example/org/fleet", "$CI_COMMIT_PULL_REQUEST", ""},
		{"Woodpecker pull request, closed", woodpecker + "CI_PIPELINE_EVENT=pull_request_closed CI_COMMIT_BRANCH=main", "pull/0/head", "", "", "https://forge.example/org/fleet", "$CI_PIPELINE_EVENT", ""},
		{"Buildkite branch", buildkite + "BUILDKITE_PULL_REQUEST=false", "main", "", "", "git@github.example:org/fleet.git", "$BUILDKITE_BRANCH", ""},
		{"Buildkite tag", buildkite + "BUILDKITE_TAG=v1.0.0 BUILDKITE_PULL_REQUEST=false", "", "v1.0.0", "1.0.0", "git@github.example:org/fleet.git", "$BUILDKITE_TAG", ""},
		{"Buildkite pull request", buildkite + "BUILDKITE_PULL_REQUEST=4", "pull/4/head", "", "", "git@github.example:org/fleet.git", "$BUILDKITE_PULL_REQUEST", ""},
		{"unknown CI", "CI=true GITHUB_SHA=" + otherCommit + " GITHUB_REF=refs/heads/main", "", "", "", "https://example.com/org/fleet.git", "", ""},
	}
	r := newRepo(t)
	head := r.head()
	r.git("checkout", "--quiet", "--detach")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := r.mustDetect(strings.Fields(strings.ReplaceAll(tt.env, "$HEAD", head))...)
			if got.Branch != tt.branch || got.Tag != tt.tag || got.Version != tt.version || got.Remote != tt.remote {
				t.Errorf("branch %q, tag %q, version %q, remote %q", got.Branch, got.Tag, got.Version, got.Remote)
			}
			if origin := got.Origins.Branch + got.Origins.Tag; origin != tt.origin {
				t.Errorf("origin %q, want %q", origin, tt.origin)
			}
			ref := tt.branch + tt.tag
			if ref == "" {
				ref = "HEAD"
			}
			if got.Commit != head || got.Revision != ref+"@sha1:"+head {
				t.Errorf("revision %q", got.Revision)
			}
			if tt.warning == "" && len(got.Warnings) > 0 || tt.warning != "" && !warns(got, tt.warning) {
				t.Errorf("warnings %q, want %q", got.Warnings, tt.warning)
			}
		})
	}
}

// Woodpecker's clones are on a branch that is called as the target.
func TestPullRequestOfAnotherCommit(t *testing.T) {
	r := newRepo(t)
	env := []string{"CI=woodpecker", "CI_COMMIT_SHA=" + otherCommit, "CI_PIPELINE_EVENT=pull_request", "CI_COMMIT_BRANCH=main", "CI_COMMIT_PULL_REQUEST=2"}
	got, err := r.detect(env, func(o *Options) { o.Overrides.Commit = r.head() })
	if err != nil || got.Branch != "pull/2/head" || got.Remote != "https://example.com/org/fleet.git" {
		t.Errorf("%v: got %+v", err, got)
	}
}

func TestBranchInUnknownCI(t *testing.T) {
	r := newRepo(t)
	if got := r.mustDetect("CI=true"); got.Branch != "main" || !warns(got, "--source-branch") {
		t.Errorf("got %+v", got)
	}
	got, err := r.detect([]string{"CI=true"}, func(o *Options) { o.Overrides.Branch = "main" })
	if err != nil || got.Branch != "main" || len(got.Warnings) > 0 {
		t.Errorf("%v: got %+v", err, got)
	}
}

// In a pull request the local clone may well be on a branch that is called main.
func TestPullRequestIsNeverItsTarget(t *testing.T) {
	r := newRepo(t)
	head := r.head()
	for _, env := range []string{
		"GITHUB_ACTIONS=true GITHUB_SHA=$HEAD GITHUB_REF=refs/pull/1/merge",
		"GITHUB_ACTIONS=true GITHUB_SHA=$HEAD GITHUB_HEAD_REF=main GITHUB_REF=refs/heads/main GITHUB_REF_NAME=main GITHUB_REF_TYPE=branch",
		"GITHUB_ACTIONS=true GITHUB_SHA=" + otherCommit + " GITHUB_REF=refs/pull/1/merge",
		"GITLAB_CI=true CI_COMMIT_SHA=$HEAD CI_PIPELINE_SOURCE=merge_request_event CI_COMMIT_REF_NAME=main",
		"CI=woodpecker CI_COMMIT_SHA=$HEAD CI_PIPELINE_EVENT=pull_request_metadata CI_COMMIT_BRANCH=main",
		"BUILDKITE=true BUILDKITE_COMMIT=HEAD BUILDKITE_BRANCH=main BUILDKITE_PULL_REQUEST=1",
	} {
		got := r.mustDetect(strings.Fields(strings.ReplaceAll(env, "$HEAD", head))...)
		if got.Branch == "main" || got.Branch == "" || got.Version != "" || got.Commit != head {
			t.Errorf("%s: got %+v", env, got)
		}
	}
}

func TestCIContradictsTheTree(t *testing.T) {
	r := newRepo(t)
	head := r.head()
	env := []string{"GITHUB_ACTIONS=true", "GITHUB_SHA=" + otherCommit, "GITHUB_REF=refs/tags/v1.0.0", "GITHUB_SERVER_URL=https://other", "GITHUB_REPOSITORY=a/b"}
	_, err := r.detect(env, nil)
	if err == nil || !strings.Contains(err.Error(), "the tree is at commit "+head[:12]+", but $GITHUB_SHA says 0123456789ab") || !strings.Contains(hintOf(err), "--source-commit "+head) {
		t.Fatalf("error %v, hint %q", err, hintOf(err))
	}
	got, err := r.detect(env, func(o *Options) { o.Overrides.Commit = head })
	if err != nil || got.Branch != "main" || got.Version != "" || got.Remote != "https://example.com/org/fleet.git" || !warns(got, "the variables of GitHub Actions are not used") {
		t.Errorf("what CI says of another commit was used: %+v, %v", got, err)
	}
	pull := []string{"GITHUB_ACTIONS=true", "GITHUB_SHA=" + otherCommit, "GITHUB_REF=refs/pull/5/merge"}
	if got := r.mustDetect(pull...); got.Commit != head || got.Origins.Commit != "git" || !warns(got, "this pull request is published as") {
		t.Errorf("the head of a pull request: %+v", got)
	}
	if _, err := r.detect([]string{"GITLAB_CI=true", "CI_COMMIT_SHA=main"}, nil); err == nil || !strings.Contains(err.Error(), `$CI_COMMIT_SHA: "main" is not a full commit id`) {
		t.Errorf("error %v", err)
	}
	r.git("commit", "--quiet", "--allow-empty", "--message", "next")
	r.git("tag", "v3.0.0", head)
	next := []string{"GITHUB_ACTIONS=true", "GITHUB_SHA=" + r.head(), "GITHUB_REF=refs/tags/v3.0.0"}
	if _, err := r.detect(next, nil); err == nil || !strings.Contains(err.Error(), "tag v3.0.0 names commit "+head[:12]) {
		t.Errorf("a tag that moved: %v", err)
	}
}

func TestCIWithoutClone(t *testing.T) {
	r := testRepo{t, t.TempDir()}
	env := []string{
		"GIT_CEILING_DIRECTORIES=" + r.dir, "GITLAB_CI=true", "CI_COMMIT_SHA=" + otherCommit, "CI_COMMIT_BRANCH=main",
		"CI_PROJECT_URL=https://gitlab-ci-token:s3cret@gitlab.example/org/fleet", "CI_COMMIT_TIMESTAMP=2026-05-06T07:08:09+02:00",
	}
	got := r.mustDetect(env...)
	if got.Revision != "main@sha1:"+otherCommit || got.Remote != "https://gitlab.example/org/fleet" || got.Created != "2026-05-06T05:08:09Z" || got.Origins.Created != "$CI_COMMIT_TIMESTAMP" {
		t.Errorf("got %+v", got)
	}
}
