package config

import (
	"regexp"
	"sync"
)

// matcher is what a check asks of a pattern: a regular expression, compiled or not.
type matcher interface {
	MatchString(s string) bool
	String() string
}

// lazy is a regular expression that is compiled when it is first needed. Those that count to a hundred take a
// millisecond and half a megabyte each, which every process would pay, render workers included.
type lazy struct {
	expr     string
	compiled func() *regexp.Regexp
}

func lazily(expr string) *lazy {
	return &lazy{expr, sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })}
}

// MatchString reports whether s contains a match.
func (l *lazy) MatchString(s string) bool { return l.compiled().MatchString(s) }

// String returns the expression.
func (l *lazy) String() string { return l.expr }
