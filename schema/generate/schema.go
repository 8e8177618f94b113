package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"
)

const (
	module  = "github.com/artifactctl/artifactctl"
	baseURL = "https://artifactctl.dev/schema/"
)

// generator reflects types of one document.
type generator struct {
	document document
	comments map[string]string
}

// build makes the schema of a document.
func build(root string, d document) (*jsonschema.Schema, error) {
	g := &generator{document: d}
	if err := g.readComments(root); err != nil {
		return nil, err
	}
	s := g.reflect(reflect.TypeOf(d.value), nil)
	s.ID, s.Title = jsonschema.ID(baseURL+d.file), d.title
	if d.refine != nil {
		return s, d.refine(g, s)
	}
	return s, nil
}

// readComments collects doc comments by the full name of a type or field. The reflector names packages by the path that
// it is given, so that path is absolute and is replaced by the module's.
func (g *generator) readComments(root string) error {
	absolute, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	var r jsonschema.Reflector
	for _, dir := range g.document.comments {
		if err := r.AddGoComments("", filepath.Join(absolute, filepath.FromSlash(dir)), jsonschema.WithFullComment()); err != nil {
			return fmt.Errorf("read the comments of %s: %w", dir, err)
		}
	}
	g.comments = map[string]string{}
	for name, text := range r.CommentMap {
		name = module + strings.TrimPrefix(filepath.ToSlash(name), filepath.ToSlash(absolute))
		g.comments[name] = strings.Join(strings.Fields(text), " ")
	}
	return nil
}

// reflect makes the plain schema of a type. namer may rename definitions.
func (g *generator) reflect(t reflect.Type, namer func(reflect.Type) string) *jsonschema.Schema {
	r := jsonschema.Reflector{
		Anonymous: true, ExpandedStruct: true, FieldNameTag: g.document.tag,
		RequiredFromJSONSchemaTags: g.document.tag == "koanf",
		CommentMap:                 g.comments, Namer: namer,
	}
	return r.ReflectFromType(t)
}

// encode writes a schema as indented JSON.
func encode(s *jsonschema.Schema) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, b.Bytes(), "", "  "); err != nil {
		return nil, err
	}
	// The schema type escapes HTML itself.
	return bytes.NewBufferString(strings.NewReplacer(`\u003c`, `<`, `\u003e`, `>`, `\u0026`, `&`).Replace(out.String())).Bytes(), nil
}
