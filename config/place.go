package config

import (
	"fmt"
	"strconv"
	"strings"
)

// member is the path of a key: registry.url, or annotations["a.b/c"] where the key is not a plain word.
func member(path, key string) string {
	switch {
	case !isPlain(key):
		return path + "[" + strconv.Quote(key) + "]"
	case path == "":
		return key
	}
	return path + "." + key
}

// isPlain reports whether a key needs no quotes in a path: letters, digits, underscores and dashes.
func isPlain(key string) bool {
	return key != "" && !strings.ContainsFunc(key, func(r rune) bool {
		return (r < 'a' || 'z' < r) && (r < 'A' || 'Z' < r) && (r < '0' || '9' < r) && r != '_' && r != '-'
	})
}

// index is the path of an element of a list.
func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// place is where a value stands: its path in the effective configuration, and the path that the source spells, which in
// an environment begins with environments.NAME.
type place struct{ path, source string }

func (p place) member(key string) place { return place{member(p.path, key), member(p.source, key)} }
func (p place) index(i int) place       { return place{index(p.path, i), index(p.source, i)} }

// OriginKind says which layer a value comes from, weakest first.
type OriginKind string

// The layers.
const (
	FromDefault     OriginKind = "default"
	FromFile        OriginKind = "file"
	FromEnvironment OriginKind = "environment"
	FromVariable    OriginKind = "variable"
	FromFlag        OriginKind = "flag"
)

// Origin says where a value of the effective configuration was written.
type Origin struct {
	Kind   OriginKind `json:"kind"`
	Name   string     `json:"name,omitempty"` // of the environment, the variable or the flag
	File   string     `json:"file,omitempty"`
	Line   int        `json:"line,omitempty"`
	Column int        `json:"column,omitempty"`

	source string // path as the source spells it
	text   string // scalar as the source spells it, for messages: what a variable held may be a secret
}

// String gives the origin for people: "default", "publish.yaml:3:8", "environment production (publish.yaml:40:10)",
// "variable ARTIFACTCTL_REGISTRY_URL" or "flag --registry".
func (o Origin) String() string {
	at := fmt.Sprintf("%s:%d:%d", o.File, o.Line, o.Column)
	switch o.Kind {
	case FromFile:
		return at
	case FromEnvironment:
		return fmt.Sprintf("environment %s (%s)", o.Name, at)
	case FromVariable, FromFlag:
		return string(o.Kind) + " " + o.Name
	}
	return string(FromDefault)
}

// problem starts a problem at this origin.
func (o Origin) problem(message, hint string) Problem {
	p := Problem{File: o.File, Line: o.Line, Column: o.Column, Path: o.source, Message: message, Hint: hint}
	if o.Kind == FromVariable || o.Kind == FromFlag {
		p.File = o.Name
	}
	return p
}
