package ui

import (
	"fmt"

	"github.com/artifactctl/artifactctl/internal/flux/generate"
)

// GenerationURL names the schema of GenerationEnvelope.
const GenerationURL = "https://artifactctl.dev/schema/generation.v1.schema.json"

// KindGeneration is the document that generate prints.
const KindGeneration Kind = "Generation"

// FileStatus is what became of a generated file.
type FileStatus string

// The states of a generated file.
const (
	FileCreated   FileStatus = "created"
	FileUpdated   FileStatus = "updated"
	FileUnchanged FileStatus = "unchanged"
	FilePrinted   FileStatus = "printed" // there is no directory to write into
)

// GeneratedFile is a file for a cluster.
type GeneratedFile struct {
	Path    string     `json:"path"` // below the directory
	Status  FileStatus `json:"status" jsonschema:"enum=created,enum=updated,enum=unchanged,enum=printed"`
	Content string     `json:"content,omitempty"` // of a file that was not written
}

// GenerationReport is the outcome of generate.
type GenerationReport struct {
	Namespace string            `json:"namespace"`
	Directory string            `json:"directory,omitempty"` // that the files are in; without it nothing was written
	Files     []GeneratedFile   `json:"files"`
	Objects   []generate.Object `json:"objects"`
}

// GenerationEnvelope is the outcome of generate as programs read it.
type GenerationEnvelope struct {
	Schema     string    `json:"$schema" jsonschema:"format=uri"`
	APIVersion string    `json:"apiVersion" jsonschema:"enum=artifactctl.dev/v1"`
	Kind       Kind      `json:"kind" jsonschema:"enum=Generation"`
	Generator  Generator `json:"generator"`
	GenerationReport
}

// Generation ends the status display and prints the manifests or, if they are in a directory, what became of each file.
func (u *UI) Generation(r *GenerationReport, o Output, stream []byte) error {
	u.Close()
	if r.Directory == "" && (o.Format == Text || o.Format == "") {
		_, err := u.stdout.Write(stream) // byte for byte what is generated: nothing but values of publish.yaml and flags
		return err
	}
	e := GenerationEnvelope{GenerationURL, APIVersion, KindGeneration, o.Generator, *r}
	return u.document(o, e, func(p *page) { p.generation(r) })
}

func (p *page) generation(r *GenerationReport) {
	counts := map[FileStatus]int{}
	for _, f := range r.Files {
		counts[f.Status]++
		if f.Status != FileUnchanged {
			p.line(0, p.palette.green("✓"), pad(string(f.Status), 10), cleanLine(r.Directory+"/"+f.Path))
		}
	}
	p.line(0, p.palette.bold(fmt.Sprintf("Summary: %d created, %d updated, %d unchanged; %s",
		counts[FileCreated], counts[FileUpdated], counts[FileUnchanged], plural(len(r.Objects), "object"))))
}
