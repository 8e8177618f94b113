package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
)

// transit is a key in a transit engine. key is the version that signs, as read found it; the rest says where it is.
type transit struct {
	server *server
	mount  string
	name   string
	key    signingKey
}

func (t *transit) keyPath() string { return t.mount + "/keys/" + t.name }

// signPath names the hash in the path and not in the request, as cosign does: a policy for cosign fits.
func (t *transit) signPath() string {
	path := t.mount + "/sign/" + t.name
	if t.key.hashed {
		path += "/sha2-256"
	}
	return path
}

// read asks for the key and chooses the version that signs: wanted, or the latest if that is 0.
func (t *transit) read(ctx context.Context, wanted int) (signingKey, error) {
	var answer keyAnswer
	if err := t.server.read(ctx, t.keyPath(), &answer); err != nil {
		return signingKey{}, t.server.explain(ctx, request{"read", t.keyPath(), "read"}, err)
	}
	key, err := answer.choose(wanted)
	if err != nil {
		return key, fmt.Errorf("key %s: %w", t.keyPath(), err)
	}
	return key, nil
}

// signAnswer is what the server answers to a request to sign.
type signAnswer struct {
	Signature string `json:"signature"`
}

// sign is a signFunc. The version is always said, so that a rotation in the middle of a run changes nothing.
func (t *transit) sign(ctx context.Context, input []byte) ([]byte, error) {
	data := t.parameters()
	data["input"] = base64.StdEncoding.EncodeToString(t.key.message(input))
	var answer signAnswer
	if err := t.server.write(ctx, t.signPath(), data, &answer); err != nil {
		return nil, t.server.explain(ctx, request{"sign with", t.signPath(), "update"}, err)
	}
	sig, err := t.raw(answer)
	if err != nil {
		return nil, fmt.Errorf("sign with %s: %w", t.signPath(), err)
	}
	return sig, nil
}

// parameters are those of a request to sign that do not depend on what is signed.
func (t *transit) parameters() map[string]any {
	return map[string]any{
		"key_version":          t.key.version,
		"prehashed":            t.key.hashed,
		"signature_algorithm":  "pkcs1v15", // for RSA; otherwise the server would take PSS
		"marshaling_algorithm": "asn1",     // for ECDSA
	}
}

// raw takes the signature out of the server's own form, "vault:v3:BASE64".
func (t *transit) raw(answer signAnswer) ([]byte, error) {
	_, rest, _ := strings.Cut(answer.Signature, ":v")
	version, text, found := strings.Cut(rest, ":")
	n, err := strconv.Atoi(version)
	if !found || err != nil {
		return nil, errForeign
	}
	if n != t.key.version {
		return nil, fmt.Errorf("the signature is of version %d of the key, though version %d was asked for", n, t.key.version)
	}
	sig, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errForeign
	}
	return sig, nil
}
