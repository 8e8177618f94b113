#!/usr/bin/env bash
# Publishes the examples to a directory that serves as a registry, verifies them, and publishes once more.
# usage: demo.sh DIR-OF-BINARIES
set -euo pipefail
bin=$(cd "${1:?usage: demo.sh DIR-OF-BINARIES}" && pwd)
examples=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
artifactctl() { printf '$ artifactctl %s\n' "$*"; "$bin/artifactctl" "$@"; }

# A repository of its own: what is published is a commit.
cp -R "$examples/." "$work"
cd "$work"
export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=demo GIT_AUTHOR_EMAIL=demo@example.com GIT_COMMITTER_NAME=demo GIT_COMMITTER_EMAIL=demo@example.com
unset CI GITHUB_ACTIONS GITLAB_CI GITEA_ACTIONS FORGEJO_ACTIONS BUILDKITE
git init -q -b main
git remote add origin https://git.example.com/org/fleet.git
printf '/out/\n/cosign.key\n' > .gitignore

say '1. A key pair for the signer, and a commit'
export COSIGN_PASSWORD=demo
artifactctl keygen
COSIGN_KEY=$(cat cosign.key)
export COSIGN_KEY
git add .
git commit -q -m 'the fleet'

say '2. Is publish.yaml good?'
artifactctl check

say '3. Do the gates let what it renders to pass?'
artifactctl gate

say '4. What would be published?'
artifactctl plan --no-diff

say '5. Publish: push by digest, sign, check, attach, attest, and then the tags'
artifactctl publish

say '6. Verify what the tags name'
artifactctl verify

say '7. A second run has nothing to do'
artifactctl publish
artifactctl plan --exit-code > /dev/null && echo 'plan --exit-code: 0, nothing to do'

say '8. Change one app: only it is published'
sed -i.bak 's/count: .*/count: 5/' apps/podinfo/overlays/production/kustomization.yaml && rm -f apps/podinfo/overlays/production/*.bak
git commit -q -am 'more replicas'
artifactctl plan
artifactctl publish
artifactctl verify

say 'The registry is a directory of OCI image layouts:'
find out -name index.json | sort
