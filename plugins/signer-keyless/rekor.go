package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	httptransport "github.com/go-openapi/runtime/client"
	"github.com/go-openapi/strfmt"
	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	rekortiles "github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
	"github.com/sigstore/rekor/pkg/generated/client/entries"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// errLogged means that Rekor v2 has this very signature already: an answer to an earlier attempt was lost. Its entry
// cannot be had from it, but a new signature of the same payload is another entry.
var errLogged = errors.New("the signature is logged already")

// logClient makes the client of one log for one call.
func (n network) logClient(ctx context.Context, l logService) (sign.Transparency, error) {
	o := &sign.RekorOptions{BaseURL: l.url, Version: l.version, Timeout: time.Hour} // the context bounds it sooner
	client := n.client(ctx, "Rekor")
	if l.version == 2 {
		o.ClientV2 = rekorV2{l.url, client}
		return sign.NewRekor(o), nil
	}
	u, err := url.Parse(l.url)
	if err != nil {
		return nil, fmt.Errorf("%w: URL of Rekor: %w", signer.ErrInvalid, err)
	}
	o.Client = entries.New(httptransport.NewWithClient(u.Host, u.Path+"/", []string{u.Scheme}, client), strfmt.Default)
	return sign.NewRekor(o), nil
}

// limited bounds how many entries are made at once.
type limited struct {
	sign.Transparency
	turns chan struct{}
}

// GetTransparencyLogEntry implements sign.Transparency.
func (l limited) GetTransparencyLogEntry(ctx context.Context, publicKey []byte, b *protobundle.Bundle) error {
	select {
	case l.turns <- struct{}{}:
		defer func() { <-l.turns }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return l.Transparency.GetTransparencyLogEntry(ctx, publicKey, b)
}

// rekorV2 adds entries to a log of version 2 (https://github.com/sigstore/rekor-tiles/blob/main/CLIENTS.md). It returns
// when an entry is in the log and its proof of inclusion can be had.
type rekorV2 struct {
	url    string
	client *http.Client
}

// Add implements sign.RekorV2Client.
func (r rekorV2) Add(ctx context.Context, entry any) (*protorekor.TransparencyLogEntry, error) {
	hashed, ok := entry.(*rekortiles.HashedRekordRequestV002)
	if !ok {
		return nil, fmt.Errorf("%w: this kind of log entry is not supported", signer.ErrInvalid)
	}
	body, err := protojson.Marshal(&rekortiles.CreateEntryRequest{Spec: &rekortiles.CreateEntryRequest_HashedRekordRequestV002{HashedRekordRequestV002: hashed}})
	if err != nil {
		return nil, fmt.Errorf("encode the log entry: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+"/api/v2/log/entries", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: URL of Rekor: %w", signer.ErrInvalid, err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := r.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusConflict {
		return nil, errLogged
	}
	answer, err := io.ReadAll(response.Body) // the network has bounded it
	if err != nil {
		return nil, fmt.Errorf("read Rekor's answer: %w", err)
	}
	var logged protorekor.TransparencyLogEntry
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(answer, &logged); err != nil {
		return nil, fmt.Errorf("%w: Rekor's answer is no log entry", signer.ErrInvalid)
	}
	return &logged, nil
}
