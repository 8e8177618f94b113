package engine

import (
	"errors"
	"fmt"
)

// Errors of the engine's own making; see also those of packages artifact, attest and signer.
var (
	// ErrConflict: a tag does not name what it must for this run to go on; moving it would break a promise.
	ErrConflict = errors.New("tag conflict")
	// ErrUnsigned: an artifact has no good signature where it must have one.
	ErrUnsigned = errors.New("no good signature")
	// ErrReadOnly: a plan tried to write. It is a defect of this program.
	ErrReadOnly = errors.New("planning must not write to the registry")
	// ErrDirty: the tree has changes that no commit names.
	ErrDirty = errors.New("the working tree has uncommitted changes")
	// ErrMoved: the same app rendered twice in one run gave different artifacts.
	ErrMoved = errors.New("the files changed while they were published")
)

// incompleteError: the tags are to move, and what they are to name is not there.
type incompleteError struct{ digest, lacks string }

func (e *incompleteError) Error() string { return fmt.Sprintf("%s is not %s", e.digest, e.lacks) }

// Hint says what the user can do.
func (e *incompleteError) Hint() string {
	return "run its shard with --phase push, and when all shards are through, --phase tag again"
}

// StageError says which app failed at which stage. It is the only wrapper that the engine puts around an error.
type StageError struct {
	App   string
	Stage Stage
	Err   error
}

func (e *StageError) Error() string { return fmt.Sprintf("%s: %s: %v", e.App, e.Stage, e.Err) }

func (e *StageError) Unwrap() error { return e.Err }

// ConflictError says what a tag names and why it stays.
type ConflictError struct {
	Tag    string
	Kind   TagKind
	Has    string // digest that the tag names; empty when it is gone
	Want   string // digest that it should name
	Reason string
	Advice string
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("%s tag %q names %s, not %s: %s", e.Kind, e.Tag, orNothing(e.Has), e.Want, e.Reason)
}

// Is makes errors.Is(err, ErrConflict) hold.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// Hint says what the user can do.
func (e *ConflictError) Hint() string { return e.Advice }

func orNothing(digest string) string {
	if digest == "" {
		return "nothing"
	}
	return digest
}
