package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// question is a request to somebody who gives identity tokens.
type question struct {
	service     string // for messages
	method, url string
	scheme      string // of the authorization; default: Bearer
	bearer      string
	metadata    bool // it is for Google's metadata server
	body        any  // as JSON
}

// ask puts a question and reads the JSON of the answer. Nothing of either is in its errors but the reason of a refusal.
func (n network) ask(ctx context.Context, q question, into any) error {
	text, err := n.askText(ctx, q)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("%w: %s's answer is no JSON", signer.ErrUnavailable, q.service)
	}
	return nil
}

func (n network) askText(ctx context.Context, q question) (string, error) {
	var body io.Reader
	if q.body != nil {
		text, err := json.Marshal(q.body)
		if err != nil {
			return "", fmt.Errorf("ask %s: %w", q.service, err)
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, q.method, q.url, body)
	if err != nil {
		return "", signer.Invalidf("", "the address of %s is no URL", q.service)
	}
	if q.bearer != "" {
		scheme := q.scheme
		if scheme == "" {
			scheme = "Bearer"
		}
		request.Header.Set("Authorization", scheme+" "+q.bearer)
	}
	if q.metadata {
		request.Header.Set("Metadata-Flavor", "Google")
	}
	if q.body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := n.client(ctx, q.service).Do(request)
	if err != nil {
		return "", plain(ctx, q.service, err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body) // the network has bounded it
	if err != nil {
		return "", fmt.Errorf("read %s's answer: %w", q.service, err)
	}
	return string(text), nil
}
