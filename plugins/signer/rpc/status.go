package rpc

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/artifactctl/artifactctl/plugins/signer"
	signerpb "github.com/artifactctl/artifactctl/plugins/signer/rpc/proto"
)

// class is an error that keeps its identity across the wire.
type class struct {
	err    error
	reason signerpb.Error_Reason
	code   codes.Code
}

// classes lists them; of several in one error the first counts.
func classes() []class {
	return []class{
		{signer.ErrInvalid, signerpb.Error_REASON_INVALID, codes.InvalidArgument},
		{signer.ErrDenied, signerpb.Error_REASON_DENIED, codes.PermissionDenied},
		{signer.ErrUnavailable, signerpb.Error_REASON_UNAVAILABLE, codes.Unavailable},
		{context.Canceled, signerpb.Error_REASON_CANCELED, codes.Canceled},
		{context.DeadlineExceeded, signerpb.Error_REASON_DEADLINE, codes.DeadlineExceeded},
	}
}

// toStatus maps what a signer returned to the wire. Every status that it makes has a detail: that is how the host tells
// a signer's words from the transport's.
func toStatus(err error) error {
	detail, code := &signerpb.Error{Hint: cleanText(hintOf(err))}, codes.Unknown
	for _, c := range classes() {
		if errors.Is(err, c.err) {
			detail.Reason, code = c.reason, c.code
			break
		}
	}
	st, detailErr := status.New(code, cleanLine(err.Error())).WithDetails(detail)
	if detailErr != nil {
		return status.Error(code, cleanLine(err.Error()))
	}
	return st.Err()
}

// fromStatus gives back a signer's own error, or nil when err came from the transport.
func fromStatus(err error) *remoteError {
	st := status.Convert(err)
	for _, d := range st.Details() {
		detail, ok := d.(*signerpb.Error)
		if !ok {
			continue
		}
		remote := &remoteError{text: cleanLine(st.Message()), hint: cleanText(detail.GetHint())}
		for _, c := range classes() {
			if c.reason == detail.GetReason() {
				remote.class = c.err
			}
		}
		return remote
	}
	return nil
}

// remoteError is an error that a signer returned, as the host sees it: its text, its class, its advice.
type remoteError struct {
	text  string
	hint  string
	class error // one of classes, or nil
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.class }
func (e *remoteError) Hint() string  { return e.hint }

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}
