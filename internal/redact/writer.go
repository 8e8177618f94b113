package redact

import (
	"errors"
	"io"
	"sync"
)

var errClosed = errors.New("write to a closed stream")

// Writer returns a writer that passes everything on to w with secrets replaced. It holds back only bytes that may be
// the beginning of a secret; Close lets them out and does not close w. It is safe for concurrent use. Write reports
// all of p as written unless w fails.
func (r *Redactor) Writer(w io.Writer) io.WriteCloser {
	s := &stream{w: w}
	if r != nil && r.auto != nil {
		s.mask = &masker{auto: r.auto}
	}
	return s
}

type stream struct {
	mu     sync.Mutex
	w      io.Writer
	mask   *masker // nil when there is nothing to blank
	buf    []byte
	closed bool
}

func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, errClosed
	}
	if s.mask == nil {
		return s.w.Write(p)
	}
	s.buf = s.mask.feed(s.buf[:0], p)
	if err := s.pass(); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close lets out what was held back. A second Close does nothing.
func (s *stream) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	if s.mask == nil {
		return nil
	}
	s.buf = s.mask.flush(s.buf[:0])
	return s.pass()
}

func (s *stream) pass() error {
	if len(s.buf) == 0 {
		return nil
	}
	_, err := s.w.Write(s.buf)
	return err
}
