package source

import "errors"

// hintError is an error with advice for the user.
type hintError struct {
	error
	hint string
}

// Hint returns what the user can do.
func (e *hintError) Hint() string { return e.hint }

// Unwrap returns the error without its hint.
func (e *hintError) Unwrap() error { return e.error }

func hinted(err error, hint string) error { return &hintError{err, hint} }

// Reasons why there is no git to ask; everything else that git says is a failure.
var (
	errNoRepository = errors.New("no git repository here")
	errNoGit        = errors.New("the git program is not installed")
)

// isAbsent says whether err means that there is no repository, rather than one that cannot be read.
func isAbsent(err error) bool { return errors.Is(err, errNoRepository) || errors.Is(err, errNoGit) }
