package source

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// localRemote stands for the remote of a repository that has none.
const localRemote = "local"

// remote decides on the remote: the flag's, CI's, or the repository's (see gitRemote). A path on this machine says
// nothing elsewhere and gives away where somebody works, so only its last element is kept, unless the flag gives it.
func (d *detection) remote(ctx context.Context) error {
	if given := d.opts.Overrides.Remote; given != "" {
		d.out.Remote, d.out.Origins.Remote = CleanRemote(given), fromFlag
		return nil
	}
	found := d.claim.remote
	if found.text == "" && d.repo != nil {
		url, err := d.gitRemote(ctx)
		if err != nil {
			return err
		}
		found = value{url, fromGit}
	}
	switch {
	case found.text == "" && d.repo == nil:
		return hinted(fmt.Errorf("the remote is not known: %w", d.noRepo), needFlags)
	case found.text == "":
		found = value{localRemote, fromDefault}
		d.warn("the repository has no remote; artifacts name %q as their source (--source-remote gives a better one)", localRemote)
	case isLocal(found.text):
		found.text = lastElement(found.text)
		d.warn("the remote is a path on this machine; artifacts name %q as their source (--source-remote gives a better one)", found.text)
	default:
		found.text = CleanRemote(found.text)
	}
	d.out.Remote, d.out.Origins.Remote = found.text, found.origin
	return nil
}

// gitRemote returns the URL of origin, else of the remote that the checked-out branch follows, else of the only one.
// One that is a path on this machine comes after all others. URLs are taken as the repository's configuration has
// them, without insteadOf, which differs from machine to machine.
func (d *detection) gitRemote(ctx context.Context) (string, error) {
	out, _, err := d.repo.run(ctx, "", "config", "-z", "--get-regexp", `^(remote\..*\.url|branch\..*\.remote)$`)
	if err != nil {
		return "", fmt.Errorf("list the remotes: %w", err)
	}
	urls, follows := map[string]string{}, ""
	var names []string
	for entry := range strings.SplitSeq(out, "\x00") {
		key, text, _ := strings.Cut(entry, "\n")
		if name, ok := between(key, "remote.", ".url"); ok && urls[name] == "" && text != "" {
			urls[name] = text
			names = append(names, name)
		}
		if branch, ok := between(key, "branch.", ".remote"); ok && branch == d.repo.branch {
			follows = text
		}
	}
	choice := slices.DeleteFunc([]string{"origin", follows}, func(name string) bool { return urls[name] == "" })
	if len(choice) == 0 && len(names) > 1 {
		slices.Sort(names)
		return "", hinted(fmt.Errorf("the repository has several remotes (%s) and none is called origin", strings.Join(names, ", ")),
			"pass --source-remote, or let the branch follow one: git branch --set-upstream-to <remote>/<branch>")
	}
	choice = append(choice, names...)
	for _, name := range choice {
		if !isLocal(urls[name]) {
			return urls[name], nil
		}
	}
	if len(choice) > 0 {
		return urls[choice[0]], nil
	}
	return "", nil
}

// between returns what stands between a prefix and a suffix.
func between(s, prefix, suffix string) (string, bool) {
	s, ok1 := strings.CutPrefix(s, prefix)
	s, ok2 := strings.CutSuffix(s, suffix)
	return s, ok1 && ok2
}

var (
	// scp matches "[user[:password]@]host:path", which git takes for SSH when no slash comes before the colon.
	scp = regexp.MustCompile(`^(?:([^@/]*)@)?(\[[^\]/]+\]|[^:/@\[\]]+):(.*)$`)
	// drive matches a path with a drive letter.
	drive = regexp.MustCompile(`^[A-Za-z]:[\\/]`)
	port  = regexp.MustCompile(`^(\[[^\]]*\]|[^:]*)(:[0-9]*)?$`)
)

// isLocal says whether a remote is a path on this machine.
func isLocal(remote string) bool {
	remote = strings.TrimSpace(remote)
	if scheme, _, ok := strings.Cut(remote, "://"); ok {
		return strings.EqualFold(scheme, "file")
	}
	return drive.MatchString(remote) || !scp.MatchString(remote)
}

// lastElement returns the last element of a local remote's path.
func lastElement(remote string) string {
	remote = strings.ReplaceAll(strings.TrimSpace(remote), `\`, "/")
	if base := path.Base(remote); base != "/" && base != "." && base != ".." && !strings.HasSuffix(base, ":") {
		return base
	}
	return localRemote
}

// CleanRemote returns a remote without what must not be published: password, token, query and fragment, and outside SSH
// the user as well. A remote that cannot be taken apart loses everything up to its last "@".
func CleanRemote(remote string) string {
	remote = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.TrimSpace(remote))
	scheme, rest, ok := strings.Cut(remote, "://")
	if !ok {
		return cleanSCP(remote)
	}
	authority, user, tail, err := cutAuthority(rest)
	if err != nil {
		authority, user, tail, _ = cutAuthority(rest[strings.LastIndexByte(rest, '@')+1:])
	}
	if isSSH(scheme) && user != "" {
		authority = user + "@" + authority
	}
	return scheme + "://" + authority + strings.TrimRight(tail, "/")
}

var errAmbiguous = errors.New("where the host begins is not clear")

// cutAuthority takes apart what follows "://". The user comes without password, the path without query and fragment.
func cutAuthority(rest string) (authority, user, tail string, err error) {
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, tail = rest[:end], rest[end:]
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		user, _, _ = strings.Cut(authority[:at], ":")
		authority = authority[at+1:]
	} else if strings.Contains(tail, "@") && (tail[0] != '/' || !port.MatchString(authority)) {
		return "", "", "", errAmbiguous // a password with one of "/?#" in it
	}
	if cut := strings.IndexAny(tail, "?#"); cut >= 0 {
		tail = tail[:cut]
	}
	return authority, user, tail, nil
}

func isSSH(scheme string) bool {
	switch strings.ToLower(scheme) {
	case "ssh", "git+ssh", "ssh+git":
		return true
	}
	return false
}

// cleanSCP cleans the form that has no scheme; a local path stays as it is.
func cleanSCP(remote string) string {
	m := scp.FindStringSubmatch(remote)
	if m == nil || drive.MatchString(remote) {
		return remote
	}
	user, _, _ := strings.Cut(m[1], ":")
	if user != "" {
		user += "@"
	}
	tail := m[3]
	if cut := strings.IndexAny(tail, "?#"); cut >= 0 {
		tail = tail[:cut]
	}
	return user + m[2] + ":" + strings.TrimRight(tail, "/")
}
