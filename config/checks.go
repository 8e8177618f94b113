package config

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"time"
)

// Parts of patterns. All patterns stay within what both Go and ECMA 262 read alike, as the JSON Schema holds them, too.
const (
	// component is a part of a repository's name (OCI distribution specification, "Pulling manifests").
	component = `[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`
	// appComponent is a component in which {app} may stand.
	appComponent = `(?:[a-z0-9]|\{app\})+(?:(?:\.|_|__|-+)(?:[a-z0-9]|\{app\})+)*`
	// segment is a part of a clean relative path: neither empty nor "." nor "..".
	segment = `(?:[^/\\.\x00-\x1f][^/\\\x00-\x1f]*|\.[^/\\.\x00-\x1f][^/\\\x00-\x1f]*|\.\.[^/\\\x00-\x1f]+)`
	host    = `(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?`
	// platforms are those that Go builds for and that clusters and their pipelines run on.
	platforms = `^(?:linux|darwin|windows|freebsd|netbsd|openbsd)/(?:386|amd64|arm|arm64|loong64|ppc64le|riscv64|s390x)$`
)

var (
	// signatureTags are the names under which registries without referrers, and cosign, keep signatures.
	signatureTags = regexp.MustCompile(`^sha(?:256|512)-`)
	// reserved are the annotations that artifactctl sets itself.
	reserved = regexp.MustCompile(`^(?:org\.opencontainers\.image\.(?:created|source|revision)|dev\.artifactctl\..*)$`)

	// patterned matches what was meant as a pattern: neither issuers nor subjects hold such characters.
	patterned = regexp.MustCompile(`^\^|\*`)
	drive     = regexp.MustCompile(`^[A-Za-z]:`)
	leaving   = regexp.MustCompile(`(^|/)\.\.(/|$)`)
	digest    = regexp.MustCompile(`^[a-z0-9]+:[0-9a-f]{32,}$`)
	authority = regexp.MustCompile(`^` + host + `$`)
)

// check is a rule for strings.
type check struct {
	pattern matcher        // what must match; the schema holds it, too
	not     *regexp.Regexp // what must not match, or nil; the schema holds it, too
	empty   bool           // the empty string is fine
	what    string         // end of the message: "is not …"
	hint    string
	hide    bool // the value may hold a secret: never show it
	// test finds what patterns cannot say, or says it better. It runs first.
	test func(text string) (message, hint string)
}

// checks are the rules that `check` and `keys` tags name.
//
//nolint:gochecknoglobals // a read-only table, whose patterns are compiled once
var checks = map[string]check{
	"annotation":  {pattern: lazily(`^[^\s\x00-\x1f]{1,255}$`), not: reserved, what: "an annotation key", test: testAnnotation},
	"app":         {pattern: regexp.MustCompile(`^` + component + `$`), what: "an app name", hint: "lower-case letters and digits, with single dots, dashes or underscores between them", test: testLength(63)},
	"appGlob":     {pattern: regexp.MustCompile(`^[a-z0-9._*?\[\]-]+$`), what: "an app name, nor a glob for some", hint: "lower-case letters, digits, dots, dashes and underscores, with * and ? for any of them"},
	"branch":      {pattern: lazily(`^[^\s\x00-\x1f~^:\\]{1,255}$`), what: "a branch, nor a glob for branches"},
	"commit":      {pattern: lazily(tagPattern("app|commit|branch", "commit")), not: signatureTags, empty: true, what: "a tag template", hint: tagHint, test: testTag("app", "commit", "branch")},
	"duration":    {pattern: regexp.MustCompile(`^(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h))+$`), what: "a duration", hint: "write it like 30s or 1m30s", test: testDuration},
	"environment": {pattern: regexp.MustCompile(`^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$`), what: "an environment name", hint: "lower-case letters and digits, with dashes between them"},
	"file":        {pattern: regexp.MustCompile(`^[^\x00-\x1f]+$`), not: regexp.MustCompile(`-----BEGIN `), what: "the path of a file", hide: true, hint: "write the content to a file, and give its path here"},
	"gate":        {pattern: regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`), what: "the name of a gate", hint: "letters and digits, with dots, dashes and underscores between them"},
	"identity":    {pattern: regexp.MustCompile(`^[^\s\x00-\x1f](?:[^\x00-\x1f]*[^\s\x00-\x1f])?$`), not: patterned, what: "an issuer or a subject", test: testIdentity},
	"regexp":      {pattern: regexp.MustCompile(`^\^[^\x00-\x1f]*\$$`), what: "a whole regular expression", hint: anchorHint, test: testRegexp},
	"kind":        {pattern: regexp.MustCompile(`^(?:[A-Za-z0-9.-]+/(?:[A-Za-z0-9]+/)?)?[A-Z][A-Za-z0-9]*$`), what: "a kind", hint: "write Kind, or group/version/Kind"},
	"kubernetes":  {pattern: regexp.MustCompile(`^(?:v?[0-9]+\.[0-9]+\.[0-9]+|master)$`), what: "a version of Kubernetes", hint: "write it like 1.34.1, or master"},
	"memory":      {pattern: quantity, what: "an amount of memory", hint: "write it like 512Mi or 2Gi"},
	"mirror":      {pattern: regexp.MustCompile(`^https?://` + host + `(?:/[^\s?#\x00-\x1f]*)?$`), what: "the URL of a TUF repository", hide: true, hint: "write it like https://tuf.example.com, without credentials, query or fragment"},
	"path":        {pattern: regexp.MustCompile(`^(?:\.|(?:\./)?` + segment + `(?:/` + segment + `)*/?)$`), not: drive, what: "a path below the directory of the file", test: testPath},
	"pattern":     {pattern: regexp.MustCompile(`^[^\x00-\x1f]+$`), what: "a gitignore pattern"},
	"platform":    {pattern: regexp.MustCompile(platforms), what: "an os/arch", hint: "write it like linux/amd64 or darwin/arm64"},
	"plugin":      {pattern: regexp.MustCompile(`^[a-z][a-z0-9-]*$`), what: "a plugin name", hint: "lower-case letters, digits and dashes; a path belongs under path:"},
	"reference":   {pattern: regexp.MustCompile(`^(?:env://[A-Za-z_][A-Za-z0-9_]*|file://[^\x00-\x1f]+)$`), what: "a reference", hide: true, test: testReference},
	"release":     {pattern: lazily(tagPattern("app|commit|version", "version")), not: signatureTags, empty: true, what: "a tag template", hint: tagHint, test: testTag("app", "commit", "version")},
	"repository":  {pattern: regexp.MustCompile(`^` + appComponent + `(?:/` + appComponent + `)*$`), what: "a repository", test: testRepository},
	"rolling":     {pattern: lazily(`^(?:[A-Za-z0-9_]|\{(?:app|branch)\})(?:[A-Za-z0-9._-]|\{(?:app|branch)\}){0,127}$`), not: signatureTags, empty: true, what: "a tag template", hint: tagHint, test: testTag("app", "branch")},
	"sha256":      {pattern: regexp.MustCompile(`^[0-9a-f]{64}$`), what: "a sha256", hint: "64 lower-case hex digits; artifactctl plugins shows them"},
	"signer":      {pattern: regexp.MustCompile(`^[a-z][a-z0-9-]*$`), what: "a signer name", hint: "lower-case letters, digits and dashes"},
	"url":         {pattern: regexp.MustCompile(`^(?:oci://` + host + `(?:/` + component + `)*|oci-layout:[^@\x00-\x1f]+)$`), what: "a registry URL", hide: true, hint: urlHint, test: testURL},
	"variable":    {pattern: variableName, what: "the name of a variable", hide: true, hint: "list names only; values stay in the environment"},
}

const (
	tagHint    = "a tag holds up to 128 letters, digits, dots, dashes and underscores, and begins with none of dot and dash"
	anchorHint = "write it as ^…$, for verifiers look for a match anywhere in the text; .* stands for what may follow"
	urlHint    = "write oci://HOST/PATH for a registry, or oci-layout:DIR for a directory"
)

// Pattern returns what a `check` or `keys` tag demands, for the JSON Schema: a regular expression that must match, one
// that must not (empty if there is none), and whether the empty string is fine nevertheless.
func Pattern(name string) (pattern, not string, empty bool) {
	c, ok := checks[name]
	if !ok {
		return "", "", false
	}
	if c.not != nil {
		not = c.not.String()
	}
	return c.pattern.String(), not, c.empty
}

// explain says what is wrong with text, or nothing. Messages quote shown.
func (c check) explain(text, shown string) (message, hint string) {
	if c.empty && text == "" {
		return "", ""
	}
	if c.test != nil {
		if message, hint = c.test(text); message != "" {
			return message, hint
		}
	}
	if c.pattern.MatchString(text) && (c.not == nil || !c.not.MatchString(text)) {
		return "", ""
	}
	switch {
	case text == "":
		return "is empty", c.hint
	case c.hide:
		return "the value is not " + c.what, c.hint
	}
	return fmt.Sprintf("%q is not %s", shown, c.what), c.hint
}

func testLength(limit int) func(string) (string, string) {
	return func(text string) (string, string) {
		if len(text) > limit {
			return fmt.Sprintf("longer than %d characters", limit), ""
		}
		return "", ""
	}
}

func testAnnotation(key string) (message, hint string) {
	if reserved.MatchString(key) {
		return "artifactctl sets this annotation itself", "choose another key"
	}
	return "", ""
}

func testDuration(text string) (message, hint string) {
	if d, err := time.ParseDuration(text); err == nil && d <= 0 {
		return "must be more than zero", ""
	} else if err == nil && d > 24*time.Hour {
		return "must be 24h at most", ""
	}
	return "", ""
}

func testPath(text string) (message, hint string) {
	const keep = "paths are relative to the file, and stay below its directory"
	switch {
	case text == "":
	case strings.Contains(text, `\`):
		return `holds a backslash`, "separate directories by /"
	case strings.HasPrefix(text, "/"), drive.MatchString(text):
		return "is an absolute path", keep
	case leaving.MatchString(text):
		return "leaves the directory of the file", keep
	case strings.Count(text, "{") > 4 || strings.Count(text, "**") > 2:
		return "the glob has too many alternatives", "split it into several entries"
	}
	return "", ""
}

// testIdentity finds patterns where exact text is wanted: they would match nothing.
func testIdentity(text string) (message, hint string) {
	if patterned.MatchString(text) {
		return "is a pattern, and must be exact", "write a regular expression under issuerRegExp or subjectRegExp"
	}
	return "", ""
}

// testRegexp refuses patterns that match within a text: `^a|b$` looks anchored, too.
func testRegexp(text string) (message, hint string) {
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return strings.TrimPrefix(err.Error(), "error parsing regexp: "), "the syntax is that of Go: https://pkg.go.dev/regexp/syntax"
	}
	whole := parsed.Op == syntax.OpConcat && parsed.Sub[0].Op == syntax.OpBeginText && parsed.Sub[len(parsed.Sub)-1].Op == syntax.OpEndText
	if text != "" && !whole {
		return "the regular expression does not cover the whole text", anchorHint
	}
	return "", ""
}

func testReference(text string) (message, hint string) {
	const use = "write env://NAME or file://PATH"
	switch {
	case strings.Contains(text, "${"):
		return "${…} is not replaced here", "write env://NAME instead"
	case text != "" && !Reference(text).Valid():
		return "must be a reference, not the secret itself", use
	}
	return "", ""
}

func testRepository(text string) (message, hint string) {
	if m := placeholders.FindString(strings.ReplaceAll(text, "{app}", "")); m != "" {
		return fmt.Sprintf("unknown placeholder %s", m), "the only placeholder here is {app}"
	}
	switch {
	case strings.ContainsAny(text, "@:"):
		return "holds a tag, a digest or a host", "a repository is a path below registry.url; tags are set under tags:"
	case text != strings.ToLower(text):
		return "must be lower case", ""
	case len(text) > 255:
		return "longer than 255 characters", ""
	}
	return "", "a repository is lower-case letters and digits, with . _ or - between them, in parts separated by /"
}

// testURL never shows the URL: people do put passwords there.
func testURL(text string) (message, hint string) {
	if rest, ok := strings.CutPrefix(text, layoutScheme); ok {
		return testLayout(rest)
	}
	rest, ok := strings.CutPrefix(text, ociScheme)
	if !ok {
		if text == "" {
			return "", ""
		}
		return "must begin with oci:// or oci-layout:", urlHint
	}
	server, path, _ := strings.Cut(rest, "/")
	before, after, at := strings.Cut(rest, "@")
	switch {
	case at && digest.MatchString(after) && before != "":
		return "holds a digest", "artifacts are pushed to repositories below the URL; remove everything from the @ on"
	case at:
		return "holds credentials", "remove them from the URL, and name them under registry.credentials: env://NAME or file://PATH"
	case strings.Contains(path, ":"):
		return "holds a tag", "artifacts are pushed to repositories below the URL; set tags under tags:"
	case strings.ContainsAny(rest, "?#"):
		return "holds a query or a fragment", urlHint
	case strings.HasSuffix(rest, "/"):
		return "ends with a slash", "remove it"
	case path != strings.ToLower(path):
		return "the path must be lower case", ""
	case !authority.MatchString(server):
		return "there is no valid host in it", urlHint
	}
	return "", ""
}

func testLayout(dir string) (message, hint string) {
	switch {
	case dir == "" || strings.HasPrefix(dir, "//"):
		return "names no directory", "write it like oci-layout:./out"
	case strings.Contains(dir, "@"):
		return "holds a digest, or an @", "write it like oci-layout:./out"
	}
	return "", ""
}
