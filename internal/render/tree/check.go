package tree

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/konfig"

	"github.com/artifactctl/artifactctl/internal/render/fault"
)

// checkReferences refuses kustomizations that could not be built from the published files alone.
func (r *reader) checkReferences() {
	directories := map[string]string{} // directory → its kustomization
	var paths []string
	for p := range r.files {
		if slices.Contains(konfig.RecognizedKustomizationFileNames(), path.Base(p)) {
			paths = append(paths, p)
		}
	}
	slices.Sort(paths)
	for _, p := range paths {
		if other, ok := directories[path.Dir(p)]; ok {
			r.refuse(fault.Duplicate, p, 0, fmt.Sprintf("the directory has a second kustomization, %s", path.Base(other)))
		}
		directories[path.Dir(p)] = p
	}
	for _, p := range paths {
		r.checkKustomization(p, directories)
	}
}

func (r *reader) checkKustomization(p string, directories map[string]string) {
	content := r.files[p]
	if !isKustomization(content) {
		return
	}
	refs, helm, err := references(content)
	if err != nil {
		r.refuse(fault.Syntax, p, fault.KustomizationLine(err.Error(), content), err.Error())
		return
	}
	if helm && !r.options.Helm {
		r.refuse(fault.Helm, p, 0, "has helm charts, which Flux does not render from a kustomization")
	}
	for _, ref := range refs {
		if reason, problem := r.judge(path.Dir(p), ref, directories); problem != "" {
			r.refuse(reason, p, ref.line, fmt.Sprintf("%s: %q %s", ref.field, fault.Redact(ref.entry), problem))
		}
	}
}

// Forms of references that kustomize fetches (api/internal/git/repospec.go, api/internal/loader/fileloader.go).
var (
	remoteFile = regexp.MustCompile(`(?i)^https?://`)
	remoteBase = regexp.MustCompile(`(?i)^(git::)?((https?|ssh|file)://|github\.com[/:]|[a-z][a-z0-9-]*@[^/]+:)`)
)

// isRemote reports whether kustomize fetches what is referred to.
func (ref reference) isRemote() bool {
	return remoteFile.MatchString(ref.path) ||
		(ref.kind == toEither || ref.kind == toDirectory) && remoteBase.MatchString(ref.path)
}

// judge tells what is wrong with a reference of a kustomization in dir, or "".
func (r *reader) judge(dir string, ref reference, directories map[string]string) (fault.Reason, string) {
	target := path.Join(dir, ref.path)
	_, isFile := r.files[target]
	_, isBase := directories[target]
	remote := ref.isRemote()
	switch {
	case remote && r.options.RemoteBases:
		return "", ""
	case remote:
		return fault.Remote, "is fetched by the cluster: nobody has signed it"
	case path.IsAbs(ref.path) || !filepath.IsLocal(target):
		return fault.Outside, "is outside of the published directory"
	case ref.kind == toPlace:
		return "", ""
	case isFile && ref.kind != toDirectory:
		return "", ""
	case isBase && ref.kind != toFile:
		if target == "." || dir == target || strings.HasPrefix(dir, target+"/") {
			return fault.Invalid, "is a directory that contains this kustomization"
		}
		return "", ""
	}
	return r.absent(target, ref)
}

// absent says why nothing of use is at target.
func (r *reader) absent(target string, ref reference) (fault.Reason, string) {
	info, err := r.root.Lstat(target)
	switch {
	case err != nil:
		return fault.Missing, "does not exist"
	case info.IsDir() && ref.kind == toFile:
		return fault.Missing, "is a directory, not a file"
	case !info.IsDir() && ref.kind == toDirectory && r.files[target] != nil:
		return fault.Missing, "is a file, not a directory"
	case info.IsDir():
		for _, name := range konfig.RecognizedKustomizationFileNames() {
			if _, err := r.root.Lstat(path.Join(target, name)); err == nil {
				return fault.Ignored, "has a kustomization that the ignore patterns leave out"
			}
		}
		return fault.Missing, "is a directory without a kustomization"
	}
	return fault.Ignored, "is left out by the ignore patterns"
}
