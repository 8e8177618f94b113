package source

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDetectWithoutRepository(t *testing.T) {
	env := []string{"GIT_CEILING_DIRECTORIES=" + filepath.Dir(t.TempDir())}
	bare := testRepo{t, t.TempDir()}
	all := Overrides{Remote: "https://example.com/x", Commit: otherCommit, Branch: "main", Created: "2026-01-02T03:04:05Z"}
	got, err := bare.detect(env, func(o *Options) { o.Overrides = all })
	if err != nil || got.Revision != "main@sha1:"+otherCommit || got.Dirty || !warns(got, "no git repository here") {
		t.Errorf("%v: got %+v", err, got)
	}
	missing := []struct {
		take func(*Overrides)
		want string
	}{
		{func(o *Overrides) { o.Commit = "" }, "which commit is published is not known"},
		{func(o *Overrides) { o.Remote = "" }, "the remote is not known"},
		{func(o *Overrides) { o.Created = "" }, "when commit 0123456789ab was made is not known"},
	}
	for _, tt := range missing {
		_, err := bare.detect(env, func(o *Options) { o.Overrides = all; tt.take(&o.Overrides) })
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "no git repository here") || !strings.Contains(hintOf(err), "--source-") {
			t.Errorf("error %v, hint %q, want %q", err, hintOf(err), tt.want)
		}
	}
}

func TestDetectTroubleWithGit(t *testing.T) {
	t.Run("no git", func(t *testing.T) {
		r := newRepo(t)
		t.Setenv("PATH", t.TempDir())
		if _, err := r.detect(nil, nil); err == nil || !strings.Contains(err.Error(), "the git program is not installed") || hintOf(err) == "" {
			t.Errorf("error %v", err)
		}
	})
	t.Run("empty repository", func(t *testing.T) {
		r := testRepo{t, t.TempDir()}
		r.git("init", "--quiet")
		if _, err := r.detect(nil, nil); err == nil || !strings.Contains(err.Error(), "has no commit yet") || hintOf(err) == "" {
			t.Errorf("error %v", err)
		}
	})
	t.Run("somebody else's repository", func(t *testing.T) {
		r := newRepo(t)
		_, err := Detect(t.Context(), Options{Dir: r.dir, Environ: []string{
			"PATH=" + os.Getenv("PATH"), "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_SYSTEM=" + os.DevNull, "GIT_TEST_ASSUME_DIFFERENT_OWNER=1",
		}})
		if err == nil || !strings.Contains(err.Error(), "belongs to another user") || !strings.Contains(hintOf(err), "git config --global --add safe.directory "+r.dir) {
			t.Errorf("error %v, hint %q", err, hintOf(err))
		}
	})
	t.Run("broken configuration", func(t *testing.T) {
		r := newRepo(t)
		r.write(".git/config", "[core\n")
		if _, err := r.detect(nil, nil); err == nil || !strings.Contains(err.Error(), "find the git repository") || !strings.Contains(err.Error(), "bad config") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		r := newRepo(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Detect(ctx, Options{Dir: r.dir, Environ: gitEnv()}); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("programs of the repository do not run", func(t *testing.T) {
		r := newRepo(t)
		proof := filepath.Join(t.TempDir(), "ran")
		r.write(".git/hooks/post-index-change", "#!/bin/sh\ntouch "+proof+"\n")
		r.write(".git/fsmonitor", "#!/bin/sh\ntouch "+proof+"\n")
		for _, name := range []string{".git/hooks/post-index-change", ".git/fsmonitor"} {
			if err := os.Chmod(filepath.Join(r.dir, name), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		r.git("config", "core.fsmonitor", filepath.Join(r.dir, ".git", "fsmonitor"))
		r.mustDetect()
		if _, err := os.Stat(proof); err == nil {
			t.Error("a program that the repository names was run")
		}
	})
}
