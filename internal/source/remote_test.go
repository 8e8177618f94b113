package source

import (
	"strings"
	"testing"
)

func TestCleanRemote(t *testing.T) {
	tests := []struct{ remote, want string }{
		{"https://github.com/org/repo", "https://github.com/org/repo"},
		{"https://github.com/org/repo.git", "https://github.com/org/repo.git"},
		{"https://github.com/org/repo/", "https://github.com/org/repo"},
		{"  https://github.com/org/repo\n", "https://github.com/org/repo"},
		{"https://s3cret@github.com/org/repo", "https://github.com/org/repo"},
		{"https://x-access-token:s3cret@github.com/org/repo", "https://github.com/org/repo"},
		{"https://user:s3cret@host:8443/org/repo.git", "https://host:8443/org/repo.git"},
		{"http://user:s3@cret@host/org/repo", "http://host/org/repo"},
		{"https://user:s3%2Fcret@host/org/repo", "https://host/org/repo"},
		{"https://user:s3%zzcret@host/org/repo", "https://host/org/repo"},
		{"https://user:s3/cret@host/org/repo", "https://host/org/repo"},
		{"https://user:12#s3cret@host/org/repo", "https://host/org/repo"},
		{"https://user:s3?cret@host/org/repo", "https://host/org/repo"},
		{"https://host/org/repo?token=s3cret", "https://host/org/repo"},
		{"https://host/org/repo#s3cret", "https://host/org/repo"},
		{"https://user:s3cret@host/org/repo?private_token=s3cret#s3cret", "https://host/org/repo"},
		{"https://host/org/@scope/repo", "https://host/org/@scope/repo"},
		{"https://[2001:db8::1]:3000/org/repo", "https://[2001:db8::1]:3000/org/repo"},
		{"https://user:s3cret@[2001:db8::1]/org/repo", "https://[2001:db8::1]/org/repo"},
		{"HTTPS://User:s3cret@Host/Org/Repo", "HTTPS://Host/Org/Repo"},
		{"https://host", "https://host"},
		{"ssh://git@github.com/org/repo.git", "ssh://git@github.com/org/repo.git"},
		{"ssh://git:s3cret@host:2222/org/repo.git", "ssh://git@host:2222/org/repo.git"},
		{"ssh://host/~user/repo", "ssh://host/~user/repo"},
		{"git+ssh://git:s3cret@host/org/repo", "git+ssh://git@host/org/repo"},
		{"git://host/org/repo.git", "git://host/org/repo.git"},
		{"git@github.com:org/repo.git", "git@github.com:org/repo.git"},
		{"git:s3cret@host:org/repo.git", "git@host:org/repo.git"},
		{"host:org/repo", "host:org/repo"},
		{"git@[2001:db8::1]:org/repo", "git@[2001:db8::1]:org/repo"},
		{"git@host:org/repo.git?token=s3cret", "git@host:org/repo.git"},
		{"git@host:/srv/repo.git/", "git@host:/srv/repo.git"},
		{"codecommit::eu-west-1://profile@repo", "codecommit::eu-west-1://repo"},
		{"/srv/git/repo.git", "/srv/git/repo.git"},
		{"", ""},
	}
	for _, tt := range tests {
		got := CleanRemote(tt.remote)
		if got != tt.want {
			t.Errorf("CleanRemote(%q) = %q, want %q", tt.remote, got, tt.want)
		}
		if strings.Contains(got, "s3") || strings.Contains(got, "cret") {
			t.Errorf("CleanRemote(%q) = %q shows the secret", tt.remote, got)
		}
		if again := CleanRemote(got); again != got {
			t.Errorf("CleanRemote(%q) = %q, not the same again", got, again)
		}
	}
}

func TestLocalRemote(t *testing.T) {
	tests := []struct {
		remote string
		local  bool
		last   string
	}{
		{"/srv/git/fleet.git", true, "fleet.git"},
		{"../fleet", true, "fleet"},
		{"./a:b", true, "a:b"},
		{"fleet", true, "fleet"},
		{"file:///srv/git/fleet.git/", true, "fleet.git"},
		{"FILE:///srv/fleet", true, "fleet"},
		{`C:\git\fleet`, true, "fleet"},
		{"D:/git/fleet", true, "fleet"},
		{"/", true, "local"},
		{"..", true, "local"},
		{"file://", true, "local"},
		{"git@host:fleet", false, ""},
		{"https://host/fleet", false, ""},
	}
	for _, tt := range tests {
		if got := isLocal(tt.remote); got != tt.local {
			t.Errorf("isLocal(%q) = %v", tt.remote, got)
		}
		if got := lastElement(tt.remote); tt.local && got != tt.last {
			t.Errorf("lastElement(%q) = %q, want %q", tt.remote, got, tt.last)
		}
	}
}

func TestReleaseVersion(t *testing.T) {
	tests := []struct{ tag, want string }{
		{"v1.4.2", "1.4.2"}, {"1.4.2", "1.4.2"}, {"v1.5.0-rc.1", "1.5.0-rc.1"}, {"0.0.0-a-b.0.x1", "0.0.0-a-b.0.x1"}, {"v10.20.30", "10.20.30"},
		{"v1.4", ""}, {"v1", ""}, {"1.4.2+build", ""}, {"V1.4.2", ""}, {"v01.4.2", ""}, {"v1.4.2-01", ""}, {"v1.4.2-", ""}, {"v1.4.2-a..b", ""},
		{"app/v1.4.2", ""}, {"release", ""}, {"", ""}, {"v1.4.2\n", ""}, {"vv1.4.2", ""},
	}
	for _, tt := range tests {
		if got, ok := releaseVersion(tt.tag); got != tt.want || ok != (tt.want != "") {
			t.Errorf("releaseVersion(%q) = %q, %v, want %q", tt.tag, got, ok, tt.want)
		}
	}
}
