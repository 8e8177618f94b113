package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/artifactctl/artifactctl/plugins/signer"
)

// tries is how often a signature is made anew: because Rekor has it already, or because its certificate ended meanwhile.
const tries = 3

// keylessSigner is a signer.Signer for whoever runs it. Its fields are set by Open and only read afterwards.
type keylessSigner struct {
	services  services
	network   network
	place     place
	authority *authority
	check     selfCheck
	logging   chan struct{} // whoever put something in may make a log entry
}

func newKeylessSigner() *keylessSigner {
	return &keylessSigner{network: newNetwork(), place: newPlace()}
}

// Open finds the services and the identity token, and gets the certificate of the run: who may not sign learns it here.
func (s *keylessSigner) Open(ctx context.Context, with map[string]any) (signer.Info, error) {
	if err := ctx.Err(); err != nil {
		return signer.Info{}, err
	}
	o, err := parseOptions(with)
	if err != nil {
		return signer.Info{}, err
	}
	warnings, err := s.findSigstore(ctx, o)
	if err != nil {
		return signer.Info{}, err
	}
	if o.oidcIssuer == "" {
		o.oidcIssuer = s.services.signIn
	}
	tokens, err := findToken(s.place, o, s.network)
	if err != nil {
		return signer.Info{}, err
	}
	s.logging = make(chan struct{}, o.logConcurrency)
	s.authority = newAuthority(s.services.fulcio, o.audience, tokens, s.network, s.check.certificate)
	first, err := s.authority.credential(ctx)
	if err != nil {
		return signer.Info{}, err
	}
	identity, err := first.identity()
	if err != nil {
		return signer.Info{}, err
	}
	return signer.Info{
		Name: "signer-keyless", Version: version(), Identity: identity, Algorithm: "ecdsa-p256-sha256",
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: first.certificate.Raw}), Warnings: append(warnings, s.services.warnings()...),
	}, nil
}

// findSigstore finds the services and what their answers are checked with: as the options say, else by TUF.
func (s *keylessSigner) findSigstore(ctx context.Context, o options) (warnings []string, err error) {
	if s.check, err = newSelfCheck(o.trustedRoot); err != nil {
		return nil, err
	}
	if o.named() || o.signingConfig != "" {
		s.services, err = findServices(o, time.Now())
		return nil, err
	}
	return s.findByTUF(ctx, o)
}

// Sign makes a bundle with the certificate of the run, the timestamps and the log entries of its services.
func (s *keylessSigner) Sign(ctx context.Context, r signer.Request) (signer.Signature, error) {
	if err := ctx.Err(); err != nil {
		return signer.Signature{}, err
	}
	if r.PayloadType == signer.PayloadSimpleSigning {
		return signer.Signature{}, signer.Invalidf("write signature: {format: bundle}, or sign with signer-file or signer-vault",
			"a signature in the legacy format cannot bring a certificate with all its evidence")
	}
	if _, err := signer.SigningInput(r); err != nil {
		return signer.Signature{}, err
	}
	for try := 1; ; try++ {
		made, again, err := s.sign(ctx, r)
		if err == nil {
			return encode(made)
		}
		if !again || try == tries {
			return signer.Signature{}, err
		}
	}
}

// sign makes one signature. It says whether making another one may help.
func (s *keylessSigner) sign(ctx context.Context, r signer.Request) (made *protobundle.Bundle, again bool, err error) {
	c, err := s.authority.credential(ctx)
	if err != nil {
		return nil, false, err
	}
	// What is stamped after the certificate's end is worth nothing.
	valid, cancel := context.WithDeadline(ctx, c.ends)
	defer cancel()
	o := sign.BundleOptions{Context: valid, CertificateProvider: c}
	for _, url := range s.services.stampers {
		o.TimestampAuthorities = append(o.TimestampAuthorities, sign.NewTimestampAuthority(
			&sign.TimestampAuthorityOptions{URL: url, Timeout: -1, Transport: s.network.transport(valid, "timestamp authority")}))
	}
	for _, l := range s.services.logs {
		client, err := s.network.logClient(valid, l)
		if err != nil {
			return nil, false, err
		}
		o.TransparencyLogs = append(o.TransparencyLogs, limited{client, s.logging})
	}
	made, err = sign.Bundle(&sign.DSSEData{Data: r.Payload, PayloadType: r.PayloadType}, c.key, o)
	switch {
	case errors.Is(err, errLogged):
		return nil, true, fmt.Errorf("%w: Rekor: %w", signer.ErrUnavailable, err)
	case err != nil && ctx.Err() == nil && valid.Err() != nil:
		return nil, true, fmt.Errorf("%w: the certificate ended before its signature was logged: %w", signer.ErrUnavailable, plain(ctx, "sign", err))
	case err != nil:
		return nil, false, plain(ctx, "sign", err)
	}
	return made, false, s.check.bundle(made)
}

// encode writes a bundle as compact JSON: protojson puts in spaces at random.
func encode(made *protobundle.Bundle) (signer.Signature, error) {
	text, err := protojson.Marshal(made)
	if err != nil {
		return signer.Signature{}, fmt.Errorf("encode the bundle: %w", err)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, text); err != nil {
		return signer.Signature{}, fmt.Errorf("encode the bundle: %w", err)
	}
	return signer.Signature{MediaType: signer.BundleMediaType, Content: compact.Bytes()}, nil
}

func version() string {
	if build, ok := debug.ReadBuildInfo(); ok && build.Main.Version != "" {
		return build.Main.Version
	}
	return "(devel)"
}
