package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/artifactctl/artifactctl/plugins/signer"
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

// signAnswer is what the server answers to a request to sign; Error is there only in an item of a batch.
type signAnswer struct {
	Signature string `json:"signature"`
	Error     string `json:"error"`
}

// batchAnswer is what it answers to batch_input: 200, whatever became of the items.
type batchAnswer struct {
	Results []signAnswer `json:"batch_results"`
}

// errNoBatch: the server took no notice of batch_input, or not of all of it.
var errNoBatch = errors.New("it does not answer each item of a batch")

// fewBad is how many messages in a row may be bad by chance.
const fewBad = 4

// signBatch is a sendFunc. A server, or a proxy before it, that refuses the request for what it holds gets it in halves, so
// that neither a limit of sizes nor one bad message is everybody's failure. If all of a half is refused, so is the rest.
func (t *transit) signBatch(ctx context.Context, messages [][]byte) []result {
	answers, err := t.post(ctx, messages)
	switch {
	case err == nil:
		return t.results(answers)
	case errors.Is(err, errNoBatch):
		return t.signEach(ctx, messages)
	case len(messages) > 1 && isRefusedContent(err):
		half := len(messages) / 2
		first := t.signBatch(ctx, messages[:half])
		if half < fewBad || slices.ContainsFunc(first, func(r result) bool { return r.err == nil }) {
			return append(first, t.signBatch(ctx, messages[half:])...)
		}
	}
	all := make([]result, len(messages))
	for i := range all {
		all[i].err = t.explain(ctx, err)
	}
	return all
}

// signAsBatch has one message signed by a batch_input request, and by nothing else.
func (t *transit) signAsBatch(ctx context.Context, message []byte) result {
	answers, err := t.post(ctx, [][]byte{message})
	if err != nil {
		return result{err: t.explain(ctx, err)}
	}
	return t.results(answers)[0]
}

// signEach is a sendFunc that needs a request for each message.
func (t *transit) signEach(ctx context.Context, messages [][]byte) []result {
	all := make([]result, len(messages))
	for i, message := range messages {
		all[i] = t.signOne(ctx, message)
	}
	return all
}

func (t *transit) signOne(ctx context.Context, message []byte) result {
	data := t.parameters()
	data["input"] = base64.StdEncoding.EncodeToString(message)
	var answer signAnswer
	if err := t.server.write(ctx, t.signPath(), data, &answer); err != nil {
		return result{err: t.explain(ctx, err)}
	}
	return t.results([]signAnswer{answer})[0]
}

// post sends one batch_input request.
func (t *transit) post(ctx context.Context, messages [][]byte) ([]signAnswer, error) {
	items := make([]map[string]string, len(messages))
	for i, message := range messages {
		items[i] = map[string]string{"input": base64.StdEncoding.EncodeToString(message)}
	}
	data := t.parameters()
	data["batch_input"] = items
	var answer batchAnswer
	if err := t.server.write(ctx, t.signPath(), data, &answer); err != nil {
		return nil, err
	}
	if len(answer.Results) != len(messages) {
		return nil, errNoBatch
	}
	return answer.Results, nil
}

// parameters are those of a request to sign that do not depend on what is signed. The version is always said, so that a
// rotation in the middle of a run changes nothing.
func (t *transit) parameters() map[string]any {
	return map[string]any{
		"key_version":          t.key.version,
		"prehashed":            t.key.hashed,
		"signature_algorithm":  "pkcs1v15", // for RSA; otherwise the server would take PSS
		"marshaling_algorithm": "asn1",     // for ECDSA
	}
}

// explain is for what went wrong with a whole request.
func (t *transit) explain(ctx context.Context, err error) error {
	return t.server.explain(ctx, request{"sign with", t.signPath(), "update"}, err)
}

func (t *transit) results(answers []signAnswer) []result {
	all := make([]result, len(answers))
	for i, answer := range answers {
		if answer.Error != "" {
			all[i].err = t.explainItem(answer.Error)
			continue
		}
		sig, err := t.raw(answer)
		if err != nil {
			err = fmt.Errorf("sign with %s: %w", t.signPath(), err)
		}
		all[i] = result{sig, err}
	}
	return all
}

// explainItem is for an item of a batch. It has no status: what the engine answers with 400 to a single request is told
// from its internal errors by its words.
func (t *transit) explainItem(words string) error {
	hint, class := "", signer.ErrUnavailable
	switch {
	case strings.Contains(words, retiredVersion):
		hint, class = retiredHint, signer.ErrInvalid
	case containsAny(words, "decode", "parse", "missing input", "support"):
		class = signer.ErrInvalid
	}
	text := t.server.blank(strings.Join(strings.Fields(words), " "))
	return signer.WithHint(fmt.Errorf("sign with %s: %w: %s", t.signPath(), class, text), hint)
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
