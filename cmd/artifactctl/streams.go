package main

import (
	"io"

	"github.com/artifactctl/artifactctl/internal/redact"
)

// unbuffered blanks secrets in each write by itself. The streams get whole lines, frames or documents in one write, so
// that no secret is cut between two, and a live display is never held back.
type unbuffered struct {
	hide *redact.Redactor
	to   io.Writer
}

func (u unbuffered) Write(b []byte) (int, error) {
	if _, err := io.WriteString(u.to, u.hide.String(string(b))); err != nil {
		return 0, err
	}
	return len(b), nil
}
