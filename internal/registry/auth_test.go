package registry

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

const (
	bearer = `Bearer realm="%s",service="fake"`
	basic  = `Basic realm="fake"`
)

func login(o *RemoteOptions) { o.Credentials = Credentials{"user", "hunter2"} }

// TestAuth goes through a whole publish behind each kind of login.
func TestAuth(t *testing.T) {
	tests := map[string]struct {
		auth   *fakeAuth
		tokens int // at most: one to pull and one to push, which two blobs side by side may both ask for
	}{
		"basic":              {&fakeAuth{Challenges: []string{basic}, Basic: true}, 0},
		"bearer":             {&fakeAuth{Challenges: []string{bearer}}, 3},
		"bearer then basic":  {&fakeAuth{Challenges: []string{bearer, basic}}, 3},
		"basic then bearer":  {&fakeAuth{Challenges: []string{basic, bearer}}, 3},
		"unknown first":      {&fakeAuth{Challenges: []string{"Negotiate", bearer, basic}}, 3},
		"unknown then basic": {&fakeAuth{Challenges: []string{"Negotiate", basic}, Basic: true}, 0},
		"own scope (Gitea)":  {&fakeAuth{Challenges: []string{bearer + `,scope="*"`, basic}}, 3},
		"tokens expire":      {&fakeAuth{Challenges: []string{bearer}, Uses: 5}, 20},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f, server := newFake(t, false)
			f.Auth = tt.auth
			r := dial(t, server, login)
			ctx, a := t.Context(), build(t, "a")
			if _, err := r.Resolve(ctx, "app", "edge"); !errors.Is(err, artifact.ErrNotFound) {
				t.Fatal(err)
			}
			err := errors.Join(
				r.Push(ctx, "app", a),
				r.Attach(ctx, "app", a.Manifest.Descriptor, bundle("1")),
				r.Tag(ctx, "app", a.Manifest, "edge"),
			)
			if err != nil {
				t.Fatal(err)
			}
			if s, err := r.Signatures(ctx, "app", a.Manifest.Descriptor); err != nil || len(s) != 1 {
				t.Fatal(plain(s), err)
			}
			before := len(f.Requests())
			if s, err := r.Signatures(ctx, "app", a.Manifest.Descriptor); err != nil || len(s) != 1 {
				t.Fatal(plain(s), err)
			}
			if f.Auth.issued > tt.tokens || (tt.auth.Uses > 0 && f.Auth.issued < 3) {
				t.Errorf("%d tokens for %q", f.Auth.issued, f.Auth.scopes)
			}
			if got := f.Requests(); tt.auth.Uses == 0 && len(got) != 3 {
				t.Errorf("with tokens at hand, no request should be refused first: %q after %d", got, before)
			}
		})
	}
}

// TestPushScope: a run that will push asks for that right at once.
func TestPushScope(t *testing.T) {
	f, server := newFake(t, true)
	f.Auth = &fakeAuth{Challenges: []string{bearer}}
	r := dial(t, server, login, func(o *RemoteOptions) { o.PushScope = true })
	ctx, a := t.Context(), build(t, "a")
	if _, err := r.Resolve(ctx, "app", "edge"); !errors.Is(err, artifact.ErrNotFound) {
		t.Fatal(err)
	}
	if err := r.Push(ctx, "app", a); err != nil {
		t.Fatal(err)
	}
	if want := []string{"repository:org/app:pull,push"}; !slices.Equal(f.Auth.scopes, want) {
		t.Errorf("scopes: %q", f.Auth.scopes)
	}
}

// TestNoLogin: wrong, missing and foreign credentials are errors with a hint, and never in the text.
func TestNoLogin(t *testing.T) {
	tests := map[string]struct {
		challenge string
		with      func(*RemoteOptions)
		want      string
	}{
		"none, basic":   {basic, func(*RemoteOptions) {}, "no credentials"},
		"none, bearer":  {bearer, func(*RemoteOptions) {}, "token from http://"},
		"wrong, bearer": {bearer, func(o *RemoteOptions) { o.Credentials = Credentials{"user", "topsecret"} }, "401 Unauthorized: UNAUTHORIZED: wrong password"},
		"wrong, basic":  {basic, func(o *RemoteOptions) { o.Credentials = Credentials{"user", "topsecret"} }, "401 Unauthorized: UNAUTHORIZED: authentication required"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f, server := newFake(t, true)
			f.Auth = &fakeAuth{Challenges: []string{tt.challenge}, Basic: true}
			r := dial(t, server, tt.with)
			_, err := r.Resolve(t.Context(), "app", "edge")
			if err == nil || errors.Is(err, artifact.ErrNotFound) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("Resolve: %v", err)
			}
			for _, secret := range []string{"topsecret", "scope=", base64.StdEncoding.EncodeToString([]byte("user:topsecret"))} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("%q tells %q", err, secret)
				}
			}
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(e.Hint(), "docker login "+r.host) {
				t.Errorf("hint: %q", e.Hint())
			}
			if _, err := r.Signatures(t.Context(), "app", build(t, "a").Manifest.Descriptor); err == nil {
				t.Error("a login that failed says nothing about signatures")
			}
		})
	}
}

// TestTokenServerDown: a token server's own failures are no answer of the registry.
func TestTokenServerDown(t *testing.T) {
	for _, status := range []int{404, 400, 503, 200} {
		f, server := newFake(t, false)
		f.Auth = &fakeAuth{Challenges: []string{bearer}}
		f.Before(func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == realmPath {
				refuse(w, status, "NAME_UNKNOWN", "odd")
				return true
			}
			return false
		})
		r := dial(t, server, login)
		d := build(t, "a").Manifest.Descriptor
		if s, err := r.Signatures(t.Context(), "app", d); err == nil || errors.Is(err, artifact.ErrNotFound) || strings.Contains(err.Error(), "scope=") {
			t.Errorf("%d: Signatures: %v %v", status, s, err)
		}
		if tags, err := r.Tags(t.Context(), "app"); err == nil {
			t.Errorf("%d: Tags: %v", status, tags)
		}
	}
}

func TestDockerConfig(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("DOCKER_CONFIG", dir)
	f, server := newFake(t, true)
	f.Auth = &fakeAuth{Challenges: []string{basic}, Basic: true}
	host := strings.TrimPrefix(server.URL, "http://")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	try := func(with ...func(*RemoteOptions)) error {
		t.Helper()
		r := dial(t, server, append(with, func(o *RemoteOptions) { o.DockerConfig = true })...)
		for range 3 {
			if _, err := r.Resolve(t.Context(), "app", "edge"); !errors.Is(err, artifact.ErrNotFound) {
				return err
			}
		}
		return nil
	}
	if err := try(); err == nil || !strings.Contains(err.Error(), "no credentials") {
		t.Errorf("without a file: %v", err)
	}
	write(fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, host, base64.StdEncoding.EncodeToString([]byte("user:hunter2"))))
	if err := try(); err != nil {
		t.Errorf("auths: %v", err)
	}
	if err := try(func(o *RemoteOptions) { o.Credentials = Credentials{"user", "wrong"} }); err == nil {
		t.Error("given credentials must win")
	}

	bin := t.TempDir()
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	script := "#!/bin/sh\nread host\necho \"$host\" >>" + filepath.Join(bin, "asked") + "\necho '{\"Username\":\"user\",\"Secret\":\"hunter2\"}'\n"
	if err := os.WriteFile(filepath.Join(bin, "docker-credential-fake"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprintf(`{"credHelpers":{%q:"fake"}}`, host), `{"credsStore":"fake"}`} {
		write(text)
		if err := os.RemoveAll(filepath.Join(bin, "asked")); err != nil {
			t.Fatal(err)
		}
		if err := try(); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if asked, err := os.ReadFile(filepath.Join(bin, "asked")); err != nil || string(asked) != host+"\n" {
			t.Errorf("%s: the helper was asked %q %v", text, asked, err)
		}
	}
	write(`{"credsStore":"missing"}`)
	err := try()
	var e *Error
	if err == nil || !errors.As(err, &e) || !strings.Contains(e.Hint(), "credential helper") {
		t.Errorf("missing helper: %v", err)
	}
	write(`{"auths":`)
	if _, err := NewRemote(RemoteOptions{Host: host, DockerConfig: true}); err == nil || !strings.Contains(err.Error(), "docker's configuration") {
		t.Errorf("broken file: %v", err)
	}
}

// TestRedirect: blobs come from another host, which must not see the registry's login; what that host says is no answer
// of the registry.
func TestRedirect(t *testing.T) {
	a := build(t, "a")
	status, seen := http.StatusOK, ""
	storage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen += r.Header.Get("Authorization")
		if r.URL.Query().Get("X-Signature") != "storage-secret" {
			status = http.StatusTeapot
		}
		w.WriteHeader(status)
		if status == http.StatusOK {
			_, _ = w.Write(a.Layer.Content)
		}
	}))
	t.Cleanup(storage.Close)
	for _, challenge := range []string{basic, bearer} {
		f, server := newFake(t, true)
		f.Auth = &fakeAuth{Challenges: []string{challenge}, Basic: true}
		r := dial(t, server, login)
		if err := r.Push(t.Context(), "app", a); err != nil {
			t.Fatal(err)
		}
		f.Before(func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodGet || place(r).kind != blobsKind || r.Header.Get("Authorization") == "" {
				return false
			}
			http.Redirect(w, r, storage.URL+"/bucket/x?X-Signature=storage-secret", http.StatusTemporaryRedirect)
			return true
		})
		status = http.StatusOK
		if b, err := r.Fetch(t.Context(), "app", a.Layer.Descriptor); err != nil || string(b) != string(a.Layer.Content) {
			t.Errorf("Fetch: %v", err)
		}
		for _, status = range []int{404, 403, 500, 401} {
			_, err := r.Fetch(t.Context(), "app", a.Layer.Descriptor)
			if err == nil || errors.Is(err, artifact.ErrNotFound) || strings.Contains(err.Error(), "storage-secret") {
				t.Errorf("Fetch from a storage that says %d: %v", status, err)
			}
		}
	}
	if seen != "" {
		t.Errorf("the storage saw %q", seen)
	}
	storage.Close()
	f, server := newFake(t, true)
	f.Before(func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, storage.URL+"/bucket/x?X-Signature=storage-secret", http.StatusTemporaryRedirect)
		return true
	})
	_, err := dial(t, server).Fetch(t.Context(), "app", a.Layer.Descriptor)
	if err == nil || strings.Contains(err.Error(), "storage-secret") || !strings.Contains(err.Error(), storage.URL+"/bucket/x") {
		t.Errorf("Fetch from a storage that is down: %v", err)
	}
}

// TestUploadElsewhere: an upload that the registry sends to another host is refused, not followed with a login.
func TestUploadElsewhere(t *testing.T) {
	f, server := newFake(t, true)
	f.Before(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		w.Header().Set("Location", "http://elsewhere.example/upload?token=secret")
		w.WriteHeader(http.StatusAccepted)
		return true
	})
	err := dial(t, server, login).Push(t.Context(), "app", build(t, "a"))
	if err == nil || !strings.Contains(err.Error(), "different host") || strings.Contains(err.Error(), "secret") {
		t.Errorf("Push: %v", err)
	}
}

// TestTokenServerBeside: a registry on this machine or a private network may have its token server on another host there.
// Nobody's challenge makes us call a cloud's metadata service, or step down from TLS.
func TestTokenServerBeside(t *testing.T) {
	f, server := newFake(t, true)
	f.Auth = &fakeAuth{Challenges: []string{bearer}}
	var asked string
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.Host + r.URL.String()
		r.URL.Path = realmPath
		f.Auth.allow(w, r)
	}))
	t.Cleanup(tokens.Close)
	port := tokens.URL[strings.LastIndex(tokens.URL, ":"):]
	f.Auth.Challenges = []string{`Bearer realm="http://localhost` + port + `/jwt/auth?own=1",service="fake"`}
	if _, err := dial(t, server, login).Resolve(t.Context(), "app", "edge"); !errors.Is(err, artifact.ErrNotFound) {
		t.Fatal(err)
	}
	if want := "localhost" + port + "/jwt/auth?own=1&scope=repository%3Aorg%2Fapp%3Apull&service=fake"; asked != want {
		t.Errorf("the token server was asked %q, want %q", asked, want)
	}
	_, err := dial(t, server, func(o *RemoteOptions) { o.Credentials = Credentials{"user", "topsecret"} }).Resolve(t.Context(), "app", "edge")
	if err == nil || !strings.Contains(err.Error(), "token from http://localhost"+port+"/jwt/auth: 401") {
		t.Errorf("wrong password: %v", err)
	}

	asked = ""
	r := newRealms(http.DefaultTransport)
	r.lookup = func(_ context.Context, host string) ([]netip.Addr, error) {
		table := map[string][]netip.Addr{
			"registry.corp": {netip.MustParseAddr("10.0.0.5")}, "gitlab.corp": {netip.MustParseAddr("fd00::1"), netip.MustParseAddr("192.168.1.1")},
			"public.example": {netip.MustParseAddr("198.51.100.7")}, "mixed.example": {netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("198.51.100.7")},
		}
		if a, ok := table[host]; ok {
			return a, nil
		}
		return nil, errors.New("no such host")
	}
	for _, tt := range []struct {
		registry, realm string
		want            bool
	}{
		{"https://registry.corp", "https://gitlab.corp/jwt/auth", true},
		{"https://registry.corp", "http://gitlab.corp/jwt/auth", false},
		{"http://registry.corp", "http://gitlab.corp/jwt/auth", true},
		{"https://public.example", "https://gitlab.corp/jwt/auth", false},
		{"https://mixed.example", "https://gitlab.corp/jwt/auth", false},
		{"https://registry.corp", "https://mixed.example/t", false},
		{"http://registry.corp", "http://169.254.169.254/latest", false},
		{"http://registry.corp", "http://[fe80::1]/latest", false},
		{"http://registry.corp", "http://100.100.100.200/latest", false},
		{"http://registry.corp", "http://[::ffff:169.254.169.254]/latest", false},
		{"http://registry.corp", "ftp://gitlab.corp/", false},
		{"https://unknown.corp", "https://gitlab.corp/jwt/auth", false},
	} {
		registry, err := url.Parse(tt.registry)
		if err != nil {
			t.Fatal(err)
		}
		realm, err := url.Parse(tt.realm)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.vouches(t.Context(), registry, realm); got != tt.want {
			t.Errorf("%s for %s: %v", tt.realm, tt.registry, got)
		}
	}
	f.Auth.Challenges = []string{`Bearer realm="http://169.254.169.254/latest",service="fake"`}
	if _, err := dial(t, server, login).Resolve(t.Context(), "app", "edge"); err == nil || !strings.Contains(err.Error(), "169.254.169.254") {
		t.Errorf("metadata service: %v", err)
	}
	f.Auth.Challenges = []string{`Bearer realm="` + server.URL + realmPrefix + "localhost" + port + `/x",service="fake"`} // a forged path
	if _, err := dial(t, server, login).Resolve(t.Context(), "app", "edge"); err == nil || asked != "" {
		t.Errorf("forged path: %v, asked %q", err, asked)
	}
}

func TestBestChallenge(t *testing.T) {
	for want, offered := range map[string][]string{
		`Bearer realm="x"`: {"Basic", `Bearer realm="x"`}, "Basic": {"Bearer", "Basic"}, "basic x": {"Negotiate", "basic x"}, "Negotiate": {"Negotiate", "Digest"},
	} {
		if got := best(offered); got != want {
			t.Errorf("%q: %q", offered, got)
		}
	}
}
