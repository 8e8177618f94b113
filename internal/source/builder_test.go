package source

import (
	"strings"
	"testing"
)

func TestRunOf(t *testing.T) {
	github := "GITHUB_ACTIONS=true GITHUB_SERVER_URL=https://github.example/ GITHUB_REPOSITORY=org/fleet GITHUB_RUN_ID=77 GITHUB_RUN_NUMBER=5 GITHUB_RUN_ATTEMPT=2 "
	workflow := "GITHUB_WORKFLOW_REF=org/fleet/.github/workflows/publish.yaml@refs/heads/main "
	gitlab := "GITLAB_CI=true CI_PROJECT_URL=https://gitlab.example/org/fleet CI_JOB_URL=https://gitlab.example/org/fleet/-/jobs/3 CI_JOB_STARTED_AT=2026-11-22T11:00:00+01:00 "
	for env, want := range map[string]Run{
		"": {},
		"GITHUB_WORKFLOW_REF=org/fleet/x@main GITHUB_SERVER_URL=https://github.example": {}, // not in a run
		github + workflow: {"https://github.example/org/fleet/.github/workflows/publish.yaml@refs/heads/main", "https://github.example/org/fleet/actions/runs/77/attempts/2", ""},
		github:            {"", "https://github.example/org/fleet/actions/runs/77/attempts/2", ""},
		"GITEA_ACTIONS=true " + github + workflow:                                             {"https://github.example/org/fleet/.github/workflows/publish.yaml@refs/heads/main", "https://github.example/org/fleet/actions/runs/5", ""},
		"GITHUB_ACTIONS=true " + workflow:                                                     {},
		gitlab + "CI_COMMIT_BRANCH=main":                                                      {"https://gitlab.example/org/fleet//.gitlab-ci.yml@refs/heads/main", "https://gitlab.example/org/fleet/-/jobs/3", "2026-11-22T10:00:00Z"},
		gitlab + "CI_COMMIT_TAG=v1 CI_CONFIG_PATH=ci/main.yml":                                {"https://gitlab.example/org/fleet//ci/main.yml@refs/tags/v1", "https://gitlab.example/org/fleet/-/jobs/3", "2026-11-22T10:00:00Z"},
		gitlab + "CI_COMMIT_TAG=v1 CI_CONFIG_PATH=ci.yml@org/shared CI_JOB_STARTED_AT=never":  {"", "https://gitlab.example/org/fleet/-/jobs/3", ""},
		"CI=woodpecker CI_SYSTEM_URL=https://ci.example CI_PIPELINE_URL=https://ci.example/9": {"https://ci.example", "https://ci.example/9", ""},
		"CI=woodpecker CI_PIPELINE_STARTED=1763805600":                                        {"", "", "2025-11-22T10:00:00Z"},
		"CI=woodpecker CI_PIPELINE_STARTED=soon":                                              {},
		"BUILDKITE=true BUILDKITE_ORGANIZATION_SLUG=org BUILDKITE_PIPELINE_SLUG=fleet BUILDKITE_BUILD_URL=https://buildkite.com/org/fleet/builds/4 BUILDKITE_JOB_ID=j": {
			"https://buildkite.com/org/fleet", "https://buildkite.com/org/fleet/builds/4#j", ""},
	} {
		if got := RunOf(strings.Fields(env)); got != want {
			t.Errorf("%s:\ngot  %+v\nwant %+v", env, got, want)
		}
	}
}
