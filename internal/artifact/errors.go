package artifact

import "errors"

// Errors that adapters report and the engine decides by.
var (
	// ErrNotFound: the registry answered that the tag, manifest, blob or repository does not exist. No other
	// failure may be reported as this one.
	ErrNotFound = errors.New("not found")
	// ErrMismatch: bytes are not what their digest, size or media type says.
	ErrMismatch = errors.New("content does not match its descriptor")
	// ErrFormat: the bytes are intact, but they are no Flux artifact (or could not become one).
	ErrFormat = errors.New("not a flux artifact")
)
