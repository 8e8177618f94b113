package inventory

import (
	"cmp"
	"slices"
	"strings"

	"github.com/artifactctl/artifactctl/internal/artifact"
	"github.com/artifactctl/artifactctl/internal/changes"
)

// Image is a reference to a container image, as it is written in a manifest.
type Image struct {
	Ref    string // all of it
	Name   string // without tag and digest
	Tag    string // empty when there is none
	Digest string // "sha256:…"; empty when the reference is not pinned
}

// ParseImage takes a reference apart. Nothing is added to it: no registry, no tag.
func ParseImage(ref string) Image {
	i := Image{Ref: ref, Name: ref}
	i.Name, i.Digest, _ = strings.Cut(i.Name, "@")
	if colon := strings.LastIndexByte(i.Name, ':'); colon > strings.LastIndexByte(i.Name, '/') {
		i.Name, i.Tag = i.Name[:colon], i.Name[colon+1:]
	}
	return i
}

// ImageChange is an image that is used before and after a change, in different versions, or only before or after it.
type ImageChange struct {
	Op   changes.Op `json:"op" jsonschema:"enum=added,enum=removed,enum=changed"`
	From string     `json:"from,omitempty"` // the reference before; empty when it is added
	To   string     `json:"to,omitempty"`   // the reference after; empty when it is removed
}

// Compare lists the images that differ between two sets of files, by name. An image counts as changed when one reference
// of its name made place for one other; where there are more, each is added or removed.
func Compare(before, after artifact.Files) []ImageChange {
	gone, come := beyond(before, after)
	var out []ImageChange
	for name, refs := range gone {
		if to := come[name]; len(refs) == 1 && len(to) == 1 {
			out = append(out, ImageChange{Op: changes.Changed, From: refs[0], To: to[0]})
			delete(come, name)
			continue
		}
		for _, ref := range refs {
			out = append(out, ImageChange{Op: changes.Removed, From: ref})
		}
	}
	for _, refs := range come {
		for _, ref := range refs {
			out = append(out, ImageChange{Op: changes.Added, To: ref})
		}
	}
	slices.SortFunc(out, func(a, b ImageChange) int {
		return cmp.Or(cmp.Compare(a.subject(), b.subject()), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	return out
}

// subject is the name of the image.
func (c ImageChange) subject() string { return ParseImage(cmp.Or(c.To, c.From)).Name }

// beyond returns the references that only one of two sets has, by the name of the image.
func beyond(before, after artifact.Files) (gone, come map[string][]string) {
	gone, come = map[string][]string{}, map[string][]string{}
	old, now := Read(before).Images, Read(after).Images
	collect := func(into map[string][]string, these, those []Image) {
		for _, i := range these {
			if !slices.Contains(those, i) {
				into[i.Name] = append(into[i.Name], i.Ref)
			}
		}
	}
	collect(gone, old, now)
	collect(come, now, old)
	return gone, come
}
