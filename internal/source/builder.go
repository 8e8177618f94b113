package source

import (
	"strconv"
	"strings"
	"time"
)

// Run is what a CI system says of the run itself, besides the commit. Empty fields are not known.
type Run struct {
	// Builder is a URI for what runs the build: the workflow at its ref, where the CI system names it, so that it is what
	// keyless certificates name, too.
	Builder string
	// Invocation is a URI for this very run.
	Invocation string
	// Started is when it began: RFC 3339, UTC.
	Started string
}

// RunOf asks the variables (as os.Environ gives them) of the CI system that runs us.
func RunOf(environ []string) Run {
	env := newEnvironment(environ)
	switch claimOf(env).system {
	case "GitHub Actions":
		return actionsRun(env, env["GITHUB_RUN_ID"], env["GITHUB_RUN_ATTEMPT"])
	case "Gitea Actions", "Forgejo Actions":
		return actionsRun(env, env["GITHUB_RUN_NUMBER"], "")
	case "GitLab CI":
		return gitlabRun(env)
	case "Woodpecker":
		return Run{Builder: env["CI_SYSTEM_URL"], Invocation: env["CI_PIPELINE_URL"], Started: unixTime(env["CI_PIPELINE_STARTED"])}
	case "Buildkite":
		return buildkiteRun(env)
	}
	return Run{}
}

// actionsRun: GITHUB_WORKFLOW_REF is "org/repo/.github/workflows/publish.yaml@refs/heads/main".
func actionsRun(env environment, number, attempt string) Run {
	var r Run
	server := strings.TrimRight(env["GITHUB_SERVER_URL"], "/")
	if server == "" {
		return r
	}
	if workflow := env["GITHUB_WORKFLOW_REF"]; workflow != "" {
		r.Builder = server + "/" + workflow
	}
	if repository := env["GITHUB_REPOSITORY"]; repository != "" && number != "" {
		r.Invocation = server + "/" + repository + "/actions/runs/" + number
		if attempt != "" {
			r.Invocation += "/attempts/" + attempt
		}
	}
	return r
}

// gitlabRun names the configuration as Fulcio's certificates for GitLab do. One that lies in another project is not named.
func gitlabRun(env environment) Run {
	r := Run{Invocation: env["CI_JOB_URL"]}
	if t, err := time.Parse(time.RFC3339, env["CI_JOB_STARTED_AT"]); err == nil {
		r.Started = t.UTC().Format(time.RFC3339)
	}
	file := env["CI_CONFIG_PATH"]
	if file == "" {
		file = ".gitlab-ci.yml"
	}
	ref := ""
	switch {
	case env["CI_COMMIT_TAG"] != "":
		ref = "refs/tags/" + env["CI_COMMIT_TAG"]
	case env["CI_COMMIT_BRANCH"] != "":
		ref = "refs/heads/" + env["CI_COMMIT_BRANCH"]
	}
	if project := env["CI_PROJECT_URL"]; project != "" && ref != "" && !strings.ContainsAny(file, "@:") {
		r.Builder = project + "//" + file + "@" + ref
	}
	return r
}

func buildkiteRun(env environment) Run {
	r := Run{Invocation: env["BUILDKITE_BUILD_URL"]}
	if job := env["BUILDKITE_JOB_ID"]; r.Invocation != "" && job != "" {
		r.Invocation += "#" + job
	}
	if org, pipeline := env["BUILDKITE_ORGANIZATION_SLUG"], env["BUILDKITE_PIPELINE_SLUG"]; org != "" && pipeline != "" {
		r.Builder = "https://buildkite.com/" + org + "/" + pipeline
	}
	return r
}

// unixTime turns seconds since 1970 into RFC 3339; empty when they are none.
func unixTime(seconds string) string {
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || n <= 0 {
		return ""
	}
	return time.Unix(n, 0).UTC().Format(time.RFC3339)
}
