package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// said is an error with its hint.
func said(err error) string {
	if err == nil {
		return ""
	}
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return err.Error() + " | " + h.Hint()
	}
	return err.Error()
}

func TestOptionsAreRefused(t *testing.T) {
	clean(t)
	t.Setenv(defaultToken, jwt(time.Hour))
	dir := t.TempDir()
	rubbish := filepath.Join(dir, "rubbish.json")
	if err := os.WriteFile(rubbish, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	const f, r, a = "https://fulcio.example.com", "https://rekor.example.com", "https://tsa.example.com/stamp"
	for name, c := range map[string]struct {
		with map[string]any
		want string
	}{
		"concurrency of nothing": {map[string]any{"logConcurrency": 0}, "from 1 to 1000"},
		"unknown provider":       {map[string]any{"token": "githup"}, "github, buildkite, circleci"},
		"root without a mirror":  {map[string]any{"tufRoot": rubbish}, "add tufMirror"},
		"mirror and services":    {map[string]any{"tufMirror": f, "rekorURL": r}, "names all services already"},
		"mirror and a file":      {map[string]any{"tufMirror": f, "signingConfig": rubbish}, "names all services already"},
		"mirror is no URL":       {map[string]any{"tufMirror": "tuf"}, "write it like https://tuf"},
		"bad TUF root":           {map[string]any{"tufMirror": f, "tufRoot": rubbish}, "is no TUF root"},
		"TUF root is missing":    {map[string]any{"tufMirror": f, "tufRoot": "none.json"}, "read none.json"},
		"bad cache":              {map[string]any{"tufMirror": f, "tufCache": filepath.Join(rubbish, "x")}, "tufCache"},
		"provider is not here":   {map[string]any{"fulcioURL": f, "rekorURL": r, "tsaURL": a, "token": "github"}, "ACTIONS_ID_TOKEN_REQUEST_URL and ACTIONS_ID_TOKEN_REQUEST_TOKEN is not set"},
		"sign in nowhere":        {map[string]any{"fulcioURL": f, "rekorURL": r, "tsaURL": a, "token": "browser"}, "oidcIssuer: URL"},
		"misspelled":             {map[string]any{"fulcioUrl": f}, `did you mean "fulcioURL"?`},
		"unknown":                {map[string]any{"zzz": f}, "the options are: fulcioURL"},
		"number for a text":      {map[string]any{"fulcioURL": 7}, "must be a text"},
		"empty text":             {map[string]any{"fulcioURL": ""}, "must be a text"},
		"version 3":              {map[string]any{"rekorVersion": 3}, "must be 1 or 2"},
		"version as text":        {map[string]any{"rekorVersion": "2"}, "must be 1 or 2"},
		"token itself":           {map[string]any{"token": jwt(time.Hour)}, "publish.yaml must hold no secrets"},
		"two tokens":             {map[string]any{"token": "env://A", "tokenFile": "b"}, "remove one of them"},
		"no Fulcio":              {map[string]any{"rekorURL": r, "tsaURL": a}, `option "fulcioURL" is missing`},
		"no Rekor":               {map[string]any{"fulcioURL": f}, `option "rekorURL" is missing`},
		"version 2 without time": {map[string]any{"fulcioURL": f, "rekorURL": r}, "set tsaURL"},
		"no URL":                 {map[string]any{"fulcioURL": "fulcio", "rekorURL": r, "tsaURL": a}, "want http or https"},
		"URL with a password":    {map[string]any{"fulcioURL": "https://a:b@c", "rekorURL": r, "tsaURL": a}, "neither credentials"},
		"URL with a query":       {map[string]any{"fulcioURL": f, "rekorURL": r + "?x=y", "tsaURL": a}, "neither credentials"},
		"both ways":              {map[string]any{"fulcioURL": f, "signingConfig": "x.json"}, "names all services already"},
		"no signing config":      {map[string]any{"signingConfig": "none.json"}, "read none.json: no such file"},
		"bad signing config":     {map[string]any{"signingConfig": rubbish}, "is no signing config"},
		"bad trusted root":       {map[string]any{"fulcioURL": f, "rekorURL": r, "tsaURL": a, "trustedRoot": rubbish}, "is no trusted root"},
		"directory for a file":   {map[string]any{"fulcioURL": f, "rekorURL": r, "tsaURL": a, "trustedRoot": dir}, "is no regular file"},
		"variable that is unset": {map[string]any{"fulcioURL": f, "rekorURL": r, "tsaURL": a, "token": "env://NO_SUCH_TOKEN"}, "variable NO_SUCH_TOKEN"},
		"file that is missing":   {map[string]any{"fulcioURL": f, "rekorURL": r, "tsaURL": a, "token": "file://none.jwt"}, "read none.jwt"},
	} {
		_, err := impatient().Open(t.Context(), c.with)
		if !errors.Is(err, signer.ErrInvalid) || !strings.Contains(said(err), c.want) {
			t.Errorf("%s: got %s, want %q", name, said(err), c.want)
		}
		if strings.Contains(said(err), jwt(time.Hour)[:20]) {
			t.Errorf("%s: the error shows the token", name)
		}
	}
}

func TestServices(t *testing.T) {
	o := options{fulcioURL: "https://fulcio.example.com/", rekorURL: "https://rekor.example.com/base/", rekorVersion: 1}
	s, err := findServices(o, time.Now())
	if err != nil || s.fulcio != "https://fulcio.example.com" || s.logs[0] != (logService{"https://rekor.example.com/base", 1}) || s.warnings() != nil {
		t.Errorf("%+v, %v", s, err)
	}
	for url, warned := range map[string]bool{"http://fulcio.svc": true, "http://127.0.0.1:80": false, "http://localhost": false, "https://fulcio.svc": false} {
		if got := (&services{fulcio: url}).warnings(); (got != nil) != warned {
			t.Errorf("%s: %v", url, got)
		}
	}
}

func TestSigningConfig(t *testing.T) {
	since := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	service := func(url string, version string) string {
		return `[{"url": "` + url + `", "majorApiVersion": ` + version + `, "validFor": {"start": "` + since + `"}, "operator": "x"}]`
	}
	config := `{"mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json", "caUrls": ` + service("https://fulcio.example.com", "1") +
		`, "rekorTlogUrls": ` + service("https://rekor.example.com", "2") + `, "rekorTlogConfig": {"selector": "ANY"}` +
		`, "tsaUrls": ` + service("https://tsa.example.com/stamp", "1") + `, "tsaConfig": {"selector": "ANY"}}`
	path := filepath.Join(t.TempDir(), "signing.json")
	for from, c := range map[string]struct{ to, want string }{
		"":                                 {"", ""},
		`"majorApiVersion": 2`:             {`"majorApiVersion": 9`, "transparency log"},
		"https://fulcio.example.com":       {"fulcio", "want http or https"},
		`"tsaConfig": {"selector": "ANY"}`: {`"tsaConfig": {"selector": "EXACT", "count": 2}`, "timestamp authority"},
	} {
		text := config
		if from != "" {
			text = strings.Replace(config, from, c.to, 1)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := findServices(options{signingConfig: path}, time.Now())
		if (c.want == "") != (err == nil) || !strings.Contains(said(err), c.want) {
			t.Errorf("%s: %+v, %v", c.to, s, err)
		}
		if c.want == "" && (s.fulcio != "https://fulcio.example.com" || s.logs[0] != (logService{"https://rekor.example.com", 2}) || s.stampers[0] != "https://tsa.example.com/stamp") {
			t.Errorf("got %+v", s)
		}
	}
}
