package source

import "strings"

// environment is a set of variables.
type environment map[string]string

func newEnvironment(environ []string) environment {
	e := environment{}
	for _, entry := range environ {
		if name, text, ok := strings.Cut(entry, "="); ok {
			e[name] = text
		}
	}
	return e
}

// get returns a variable as a value with its origin.
func (e environment) get(name string) value { return value{e[name], "$" + name} }

// on says whether a variable is set to something that means yes.
func (e environment) on(name string) bool {
	switch strings.ToLower(e[name]) {
	case "", "0", "false", "no":
		return false
	}
	return true
}

// claim is what a CI system says of the commit that it builds.
type claim struct {
	system                            string // the product's name; empty outside the known ones
	remote, commit, branch, tag, time value
	pull                              bool // the run is for a pull or merge request
}

// ofAnotherCommit is what remains of a claim when another commit is published: that the run is for a pull request.
func (c claim) ofAnotherCommit() claim {
	if c.pull {
		return claim{system: c.system, branch: c.branch, pull: true}
	}
	return claim{system: c.system}
}

// claimOf asks the variables of the CI system that runs us. Each of them sets a variable of its own that says so; Gitea
// and Forgejo also set GitHub's.
func claimOf(env environment) claim {
	switch {
	case env.on("FORGEJO_ACTIONS"):
		return actions(env, "Forgejo Actions")
	case env.on("GITEA_ACTIONS"):
		return actions(env, "Gitea Actions")
	case env.on("GITHUB_ACTIONS"):
		return actions(env, "GitHub Actions")
	case env.on("GITLAB_CI"):
		return gitlab(env)
	case env["CI"] == "woodpecker":
		return woodpecker(env)
	case env.on("BUILDKITE"):
		return buildkite(env)
	}
	return claim{}
}

// actions reads the variables of GitHub Actions and of those that speak its language
// (docs.github.com, "Default environment variables").
func actions(env environment, system string) claim {
	c := claim{system: system, commit: env.get("GITHUB_SHA")}
	if server, repository := env["GITHUB_SERVER_URL"], env["GITHUB_REPOSITORY"]; server != "" && repository != "" {
		c.remote = value{strings.TrimRight(server, "/") + "/" + repository, "$GITHUB_REPOSITORY"}
	}
	ref := env["GITHUB_REF"]
	name, isPull := strings.CutPrefix(ref, "refs/pull/")
	branch, isBranch := strings.CutPrefix(ref, "refs/heads/")
	tag, isTag := strings.CutPrefix(ref, "refs/tags/")
	switch {
	case isPull:
		c.pull, c.branch = true, value{"pull/" + name, "$GITHUB_REF"}
	case env["GITHUB_HEAD_REF"] != "" || strings.HasPrefix(env["GITHUB_EVENT_NAME"], "pull_request"):
		// pull_request_target: GITHUB_REF is the target branch, but what runs was asked for by the pull request.
		c.pull, c.branch = true, value{"pull/target", "$GITHUB_HEAD_REF"}
	case isBranch:
		c.branch = value{branch, "$GITHUB_REF"}
	case isTag:
		c.tag = value{tag, "$GITHUB_REF"}
	case env["GITHUB_REF_TYPE"] == "tag":
		c.tag = env.get("GITHUB_REF_NAME")
	case env["GITHUB_REF_TYPE"] == "branch":
		c.branch = env.get("GITHUB_REF_NAME")
	}
	return c
}

// gitlab reads the variables of GitLab CI (docs.gitlab.com, "Predefined CI/CD variables reference"). In a merge request's
// pipeline CI_COMMIT_BRANCH is not set.
func gitlab(env environment) claim {
	c := claim{
		system: "GitLab CI", commit: env.get("CI_COMMIT_SHA"), remote: env.get("CI_PROJECT_URL"), time: env.get("CI_COMMIT_TIMESTAMP"),
	}
	switch {
	case env["CI_MERGE_REQUEST_IID"] != "" || strings.HasPrefix(env["CI_PIPELINE_SOURCE"], "merge_request") || env["CI_EXTERNAL_PULL_REQUEST_IID"] != "":
		number := first(env.get("CI_MERGE_REQUEST_IID"), env.get("CI_EXTERNAL_PULL_REQUEST_IID"), value{"0", "$CI_PIPELINE_SOURCE"})
		c.pull, c.branch = true, value{"merge-requests/" + number.text + "/head", number.origin}
		if path, ok := strings.CutPrefix(env["CI_MERGE_REQUEST_REF_PATH"], "refs/"); ok {
			c.branch = value{path, "$CI_MERGE_REQUEST_REF_PATH"}
		}
	case env["CI_COMMIT_TAG"] != "":
		c.tag = env.get("CI_COMMIT_TAG")
	default:
		c.branch = env.get("CI_COMMIT_BRANCH")
	}
	return c
}

// woodpecker reads the variables of Woodpecker CI (woodpecker-ci.org, "Environment variables"). In a pull request's
// pipeline CI_COMMIT_BRANCH is the target branch.
func woodpecker(env environment) claim {
	c := claim{system: "Woodpecker", commit: env.get("CI_COMMIT_SHA"), remote: env.get("CI_REPO_URL")}
	switch event := env["CI_PIPELINE_EVENT"]; {
	case strings.HasPrefix(event, "pull_request") || env["CI_COMMIT_PULL_REQUEST"] != "":
		number := first(env.get("CI_COMMIT_PULL_REQUEST"), value{"0", "$CI_PIPELINE_EVENT"})
		c.pull, c.branch = true, value{"pull/" + number.text + "/head", number.origin}
	case env["CI_COMMIT_TAG"] != "":
		c.tag = env.get("CI_COMMIT_TAG")
	default:
		c.branch = env.get("CI_COMMIT_BRANCH")
	}
	return c
}

// buildkite reads the variables of Buildkite (buildkite.com/docs, "Environment variables"). A build that was started by
// hand can have the commit "HEAD", which says nothing.
func buildkite(env environment) claim {
	c := claim{system: "Buildkite", commit: env.get("BUILDKITE_COMMIT"), remote: env.get("BUILDKITE_REPO")}
	if c.commit.text == "HEAD" {
		c.commit = value{}
	}
	switch {
	case env.on("BUILDKITE_PULL_REQUEST"):
		c.pull, c.branch = true, value{"pull/" + env["BUILDKITE_PULL_REQUEST"] + "/head", "$BUILDKITE_PULL_REQUEST"}
	case env["BUILDKITE_TAG"] != "":
		c.tag = env.get("BUILDKITE_TAG")
	default:
		c.branch = env.get("BUILDKITE_BRANCH")
	}
	return c
}
