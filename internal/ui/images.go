package ui

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/artifactctl/artifactctl/internal/changes"
	"github.com/artifactctl/artifactctl/internal/engine"
	"github.com/artifactctl/artifactctl/internal/inventory"
)

// maxImages is how many images of an app are named.
const maxImages = 20

// images lists the images of an app that differ.
func (p *page) images(a engine.AppReport) {
	for i, c := range a.Images {
		if i == maxImages {
			p.line(4, fmt.Sprintf("… and %s", plural(len(a.Images)-i, "more image")))
			return
		}
		switch c.Op {
		case changes.Added:
			p.line(4, p.palette.green("+ image "+cut(cleanLine(c.To), maxColumns)))
		case changes.Removed:
			p.line(4, p.palette.red("- image "+cut(cleanLine(c.From), maxColumns)))
		default:
			p.line(4, p.palette.yellow("~ image "+cut(cleanLine(c.From), maxColumns)+" → "+cut(cleanLine(newPart(c)), maxColumns)))
		}
	}
}

// newPart is what a changed image has become, without the name that it keeps.
func newPart(c inventory.ImageChange) string {
	return cmp.Or(strings.TrimPrefix(strings.TrimPrefix(c.To, inventory.ParseImage(c.To).Name), ":"), c.To)
}

// images is a list of the apps whose images differ.
func (m *markdown) images(r *engine.Report) {
	var b strings.Builder
	for _, a := range r.Apps {
		if len(a.Images) == 0 {
			continue
		}
		var all []string
		for _, c := range a.Images[:min(len(a.Images), maxImages)] {
			all = append(all, imageOf(c))
		}
		if more := len(a.Images) - len(all); more > 0 {
			all = append(all, fmt.Sprintf("… and %s", plural(more, "more image")))
		}
		fmt.Fprintf(&b, "- %s: %s\n", code(a.App), strings.Join(all, ", "))
	}
	if b.Len() > 0 {
		m.add("**Images**\n\n" + b.String() + "\n")
	}
}

func imageOf(c inventory.ImageChange) string {
	switch c.Op {
	case changes.Added:
		return "added " + code(c.To)
	case changes.Removed:
		return "removed " + code(c.From)
	}
	return code(c.From) + " → " + code(newPart(c))
}

// statements names what is attested of an app.
func statements(a engine.AppReport) []string {
	var names []string
	for _, predicateType := range a.Attested {
		switch predicateType {
		case "https://slsa.dev/provenance/v1":
			names = append(names, "provenance")
		case "https://cyclonedx.org/bom":
			names = append(names, "sbom")
		default:
			names = append(names, cleanLine(predicateType))
		}
	}
	return names
}
