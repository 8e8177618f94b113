// Package worker is the process that renders: it reads requests from its standard input, runs kustomize on one
// directory at a time, and answers on its standard output. One process keeps the state that kustomize shares between
// builds, can be killed when an input never ends, and has no more of the environment than its parent gave it.
//
// It does not start, count or kill processes, and it does not know about apps, configuration or registries.
package worker

import "github.com/artifactctl/artifactctl/internal/render/fault"

// Kustomize is the version of the kustomize command whose output a worker reproduces, byte for byte. It belongs to
// the versions of sigs.k8s.io/kustomize/api and kyaml in go.mod; a test holds them together.
const Kustomize = "v5.8.2"

// Protocol is the version of the messages below. Pool and worker are the same executable, so a difference means that
// the pool was told to start something else.
const Protocol = 2

// Setup is the first message to a worker: what it may do until it ends.
type Setup struct {
	Protocol int
	Memory   int64  // bytes; the worker ends when it needs more
	Network  bool   // remote bases and files are fetched
	Helm     string // absolute path of the helm command; empty: helm is off
	Scratch  string // directory for clones, readable by kustomize; empty when there is none
}

// Hello is a worker's answer to Setup.
type Hello struct {
	Protocol  int
	Kustomize string
}

// Request asks for one build.
type Request struct {
	Dir  string // absolute
	Root string // absolute; nothing outside of it is read
	// Record asks for Response.Inputs.
	Record bool
}

// Response is the outcome of one build.
type Response struct {
	YAML     []byte
	Warnings []string
	Err      *fault.Error // nil when YAML is good
	// Inputs is what the build depended on, as package inputs encodes it. It is empty when it was not asked for, and when
	// the build depended on more than that: on the network, on helm, on where the root lies.
	Inputs []byte
	Last   bool // the worker ends after this answer: its state is not to be trusted any more
}
