package gate

import (
	"errors"
	"fmt"
	"strings"
)

// Split splits a command line into a program and its arguments: at white space, with single and double quotes and
// backslashes as in a POSIX shell. There is no shell, so what one would act upon ($, `, |, &, ;, <, >, parentheses) is
// refused where it is not quoted; the error has a hint. Globs and ~ stay as they are.
func Split(line string) ([]string, error) {
	s := splitter{line: line}
	for i := 0; i < len(line); i++ {
		if err := s.next(&i); err != nil {
			return nil, err
		}
	}
	if s.quote != 0 {
		return nil, &commandError{line: line, what: fmt.Sprintf("the quote %c has no end", s.quote), hint: ""}
	}
	s.flush()
	if len(s.words) == 0 {
		return nil, errors.New("the command is empty")
	}
	return s.words, nil
}

type splitter struct {
	line   string
	words  []string
	word   strings.Builder
	inWord bool
	quote  byte // the one that is open, or 0
}

// next takes the character at i, and the one after it when it is a backslash.
func (s *splitter) next(i *int) error {
	c := s.line[*i]
	switch {
	case c == '\\' && s.quote != '\'':
		return s.escape(i)
	case s.quote != 0 && c == s.quote:
		s.quote = 0
	case s.quote == '\'':
		s.add(c)
	case s.quote == '"':
		if c == '$' || c == '`' {
			return s.refuse(c)
		}
		s.add(c)
	case c == '\'' || c == '"':
		s.quote, s.inWord = c, true
	case strings.IndexByte(" \t\r\n", c) >= 0:
		s.flush()
	case strings.IndexByte("$`|&;<>()", c) >= 0:
		return s.refuse(c)
	default:
		s.add(c)
	}
	return nil
}

func (s *splitter) escape(i *int) error {
	if *i+1 == len(s.line) {
		return &commandError{line: s.line, what: "nothing follows the last backslash"}
	}
	*i++
	c := s.line[*i]
	if s.quote == '"' && strings.IndexByte("\"\\$`", c) < 0 {
		s.add('\\')
	}
	s.add(c)
	return nil
}

func (s *splitter) add(c byte) {
	s.inWord = true
	s.word.WriteByte(c)
}

func (s *splitter) flush() {
	if s.inWord {
		s.words = append(s.words, s.word.String())
	}
	s.word.Reset()
	s.inWord = false
}

func (s *splitter) refuse(c byte) error {
	return &commandError{line: s.line, what: fmt.Sprintf("%c would need a shell", c),
		hint: "a gate is started without a shell: quote the character, or run sh -c '…'"}
}

// commandError is a command line that cannot be split.
type commandError struct{ line, what, hint string }

func (e *commandError) Error() string { return fmt.Sprintf("command %q: %s", e.line, e.what) }

// Hint returns what to do; it may be empty.
func (e *commandError) Hint() string { return e.hint }
