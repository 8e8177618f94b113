package main_test

import (
	"strings"
)

func replacing(old, new string) func(*fleet) {
	return func(f *fleet) { f.replace(old, new) }
}

func writing(name, content string) func(*fleet) {
	return func(f *fleet) { f.write(name, content) }
}

// file is a case of a spoilt publish.yaml.
func file(spoil func(*fleet), want ...string) hostileCase {
	return hostileCase{spoil: spoil, code: 3, want: append([]string{"publish.yaml"}, want...)}
}

func hostileFiles() map[string]hostileCase {
	return map[string]hostileCase{
		"missing":             file(func(f *fleet) { f.remove("publish.yaml") }, "no such file", "artifactctl init"),
		"empty":               file(writing("publish.yaml", "")),
		"binary":              file(writing("publish.yaml", "version: v1\n\x00\x01")),
		"too large":           file(writing("publish.yaml", "version: v1\n#"+strings.Repeat("x", 2<<20))),
		"syntax":              file(replacing("apps:", "apps: ["), "publish.yaml:"),
		"two documents":       file(func(f *fleet) { f.write("publish.yaml", goodPublish+"---\nversion: v1\n") }),
		"alias bomb":          file(writing("publish.yaml", aliasBomb())),
		"no version":          file(replacing("version: v1\n", ""), "version: v1"),
		"future version":      file(replacing("version: v1", "version: v9"), "publish.yaml:1:"),
		"unknown key":         file(replacing("signers:", "singers:"), "singers", "signers"),
		"duplicate key":       file(replacing("signer: file", "signer: file\nsigner: file"), "signer"),
		"wrong type":          file(replacing("signer: file", "signer: [file]"), "publish.yaml:5:"),
		"no apps":             file(replacing("  - path: apps/*\n", "  []\n"), "apps"),
		"glob without match":  file(replacing("apps/*", "aps/*"), "apps[0].path", "glob"),
		"app is a file":       file(func(f *fleet) { f.replace("apps/*", "cosign.pub") }, "apps[0].path", "file"),
		"app leaves the tree": file(replacing("apps/*", "../elsewhere"), "apps[0].path"),
		"one repository twice": file(func(f *fleet) {
			f.write("apps/api/kustomization.yaml", "resources: []\n")
			f.replace("- path: apps/*", "- {path: apps/*, repository: same}")
		}, "same"),
		"bad repository":                   file(replacing("- path: apps/*", "- {path: apps/*, repository: UPPER}"), "apps[0].repository"),
		"unknown signer":                   file(replacing("signer: file", "signer: fil"), "fil", "file"),
		"unknown environment":              {spoil: func(*fleet) {}, args: []string{"publish", "--env", "prod"}, code: 3, want: []string{"prod"}},
		"unset variable":                   file(replacing("signer: file", "signer: ${NOT_SET}"), "NOT_SET"),
		"tag that is no tag":               file(func(f *fleet) { f.replace("signer: file\n", "signer: file\ntags: {commit: \"-{commit}\"}\n") }, "tags.commit"),
		"commit tag that is not immutable": file(func(f *fleet) { f.replace("signer: file\n", "signer: file\ntags: {commit: latest}\n") }, "{commit}"),
		"bad scheme":                       file(replacing("oci://", "https://"), "registry.url"),
		"password in the url":              file(replacing("oci://", "oci://me:hunter2@"), "registry.url"),
		"password in the file":             file(replacing("retries: 0", "credentials: {username: me, password: hunter2}"), "registry.credentials"),
		"key in the file":                  file(replacing("{key: cosign.key}", "{key: \"-----BEGIN PRIVATE KEY----- hunter2\"}"), "with"),
		"credential not set":               file(replacing("retries: 0", "credentials: {username: env://REGUSER, password: env://REGPASS}"), "REGUSER"),
		"unknown app in only":              {spoil: func(*fleet) {}, args: []string{"publish", "--only", "wob"}, code: 3, want: []string{"wob"}},
		"unknown command":                  {spoil: func(*fleet) {}, args: []string{"publsh"}, code: 3, want: []string{"publsh"}},
		"unknown flag":                     {spoil: func(*fleet) {}, args: []string{"publish", "--frce"}, code: 3, want: []string{"frce"}},
		"unknown format":                   {spoil: func(*fleet) {}, args: []string{"publish", "-o", "xml"}, code: 3, want: []string{"xml"}},
	}
}

func aliasBomb() string {
	text := "version: v1\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 9; i++ {
		c := string(rune('0' + i))
		p := string(rune('0' + i - 1))
		text += "a" + c + ": &a" + c + " [" + strings.TrimSuffix(strings.Repeat("*a"+p+", ", 10), ", ") + "]\n"
	}
	return text
}

func hostileSources() map[string]hostileCase {
	return map[string]hostileCase{
		"no repository": {spoil: func(f *fleet) { f.remove(".git") }, dirtyTree: true, code: 3, want: []string{"git"}},
		"no commit":     {spoil: func(*fleet) {}, dirtyTree: true, code: 3, want: []string{"commit"}},
		"dirty tree": {spoil: func(f *fleet) {
			f.git("add", "-A")
			f.git("commit", "-q", "-m", "x")
			f.write("apps/web/new.yaml", "a: 1\n")
		}, dirtyTree: true, code: 3, want: []string{"apps/web/new.yaml", "--allow-dirty"}},
		"another commit than CI says": {spoil: func(f *fleet) {
			f.environ = append(f.environ, "CI=true", "GITHUB_ACTIONS=true", "GITHUB_SHA="+strings.Repeat("a", 40), "GITHUB_REF=refs/heads/main",
				"GITHUB_REF_NAME=main", "GITHUB_REF_TYPE=branch", "GITHUB_SERVER_URL=https://github.com", "GITHUB_REPOSITORY=org/fleet")
		}, code: 3, want: []string{"aaaaaaa"}},
		"bad source date": {spoil: func(f *fleet) { f.environ = append(f.environ, "SOURCE_DATE_EPOCH=yesterday") }, code: 3, want: []string{"SOURCE_DATE_EPOCH"}},
		"release of a part": {spoil: func(*fleet) {}, args: []string{"publish", "--source-tag", "v1.0.0", "--only", "web"}, code: 3,
			want: []string{"--only"}},
	}
}
