package signer

// WithHint gives err a piece of advice that the host prints under it ("hint: …"). The advice crosses the wire; the text
// and the class of err stay as they are. WithHint of nil is nil.
func WithHint(err error, hint string) error {
	if err == nil || hint == "" {
		return err
	}
	return &hinted{err: err, hint: hint}
}

type hinted struct {
	err  error
	hint string
}

func (h *hinted) Error() string { return h.err.Error() }
func (h *hinted) Unwrap() error { return h.err }
func (h *hinted) Hint() string  { return h.hint }
