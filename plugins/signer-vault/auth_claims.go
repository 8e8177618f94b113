package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// claims are what a JWT says about itself that a role may be bound to. They are no secret, and only for messages: it is
// the server that verifies them.
type claims struct {
	Issuer   string    `json:"iss"`
	Subject  string    `json:"sub"`
	Audience audiences `json:"aud"`
	Expires  float64   `json:"exp"`
}

// audiences is one or a list of them.
type audiences []string

// UnmarshalJSON implements json.Unmarshaler.
func (a *audiences) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*a = audiences{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(a))
}

// describeJWT says what the claims of a JWT are, or "" if it has none that can be read.
func describeJWT(raw string, now time.Time) string {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return "it does not look like a JWT"
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	var c claims
	if err != nil || json.Unmarshal(payload, &c) != nil {
		return "it does not look like a JWT"
	}
	text := fmt.Sprintf("it says iss %q, sub %q, aud %q", c.Issuer, c.Subject, []string(c.Audience))
	if end := time.Unix(int64(c.Expires), 0); c.Expires > 0 && now.After(end) {
		text += ", and it expired at " + end.UTC().Format(time.RFC3339)
	}
	return text
}
