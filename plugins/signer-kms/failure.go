package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// failure is an error of a driver in words that may be shown.
type failure struct {
	class error // of package signer; nil when it is unforeseen
	text  string
	hint  string
}

// err is the failure of doing something. Nothing of the driver's own error is wrapped: it may repeat requests, and with
// them credentials.
func (f failure) err(doing string) error {
	text := redact(f.text)
	if f.class == nil {
		return signer.WithHint(fmt.Errorf("%s: %s", doing, text), f.hint)
	}
	return signer.WithHint(fmt.Errorf("%s: %w: %s", doing, f.class, text), f.hint)
}

// judgeStatus classifies an HTTP status.
func judgeStatus(status int) error {
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return signer.ErrDenied
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status >= http.StatusInternalServerError:
		return signer.ErrUnavailable
	}
	return signer.ErrInvalid
}

const caHint = "SSL_CERT_FILE names a file with the authorities to trust, HTTPS_PROXY a proxy; list them under `env` of this signer"

// judgeNetwork judges what went wrong before there was an answer. ok is false if it is something else.
func judgeNetwork(err error) (f failure, ok bool) {
	certificate, remote := (*tls.CertificateVerificationError)(nil), (*net.OpError)(nil)
	var timeout net.Error
	switch {
	case errors.As(err, &certificate):
		return failure{class: signer.ErrInvalid, text: certificate.Error(), hint: caHint}, true
	case errors.Is(err, http.ErrSchemeMismatch):
		return failure{class: signer.ErrInvalid, text: "the server speaks http, not https"}, true
	case errors.As(err, &remote):
		return failure{class: signer.ErrUnavailable, text: remote.Error()}, true
	case errors.As(err, &timeout), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return failure{class: signer.ErrUnavailable, text: cause(err).Error()}, true
	}
	return failure{}, false
}

// judgeRest is for what no rule knows: the driver's words, as far as they may be shown.
func judgeRest(err error) failure {
	if f, ok := judgeNetwork(err); ok {
		return f
	}
	return failure{text: firstLine(cause(err).Error())}
}

// cause is err without a URL around it, which may hold a password of a proxy.
func cause(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return u.Err
	}
	return err
}

const maxText = 400

// firstLine is the first line of a message that came from outside, if it is not endless.
func firstLine(text string) string {
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	if text = strings.TrimSpace(text); len(text) > maxText {
		return strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return text
}

// Variables and words that hold credentials. What is shorter than minSecret would blank innocent text.
var (
	secretNames = regexp.MustCompile(`(?i)(pass|secret|token|key|cred|auth)`)
	bearers     = regexp.MustCompile(`(?i)\b(bearer|x-vault-token|x-amz-security-token|authorization|client_assertion|client_secret|assertion)(["']?\s*[:=]?\s*["']?)[\w.+/=~-]{8,}`)
)

const minSecret = 8

// redact blanks the secrets of the environment and what looks like a credential.
func redact(text string) string {
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		if value = strings.TrimSpace(value); len(value) >= minSecret && secretNames.MatchString(name) {
			text = strings.ReplaceAll(text, value, "***")
		}
	}
	return bearers.ReplaceAllString(text, "$1$2***")
}
