package main

import (
	"encoding/base64"
	"strings"
	"sync"
)

// leastSecret is the length from which a value is blanked: shorter ones would blank innocent text, and hide nothing.
const leastSecret = 4

// secrets are the values that no message may show: tokens, secret ids, JWTs. Servers repeat what they were sent: Vault's
// AppRole has an error that quotes the secret id. It is safe for concurrent use.
type secrets struct {
	mu     sync.Mutex
	values []string
}

func (s *secrets) add(value string) {
	if len(value) < leastSecret {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values = append(s.values, value, base64.StdEncoding.EncodeToString([]byte(value)))
}

// blank replaces each secret in text.
func (s *secrets) blank(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, value := range s.values {
		text = strings.ReplaceAll(text, value, "***")
	}
	return text
}
