package cluster

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"time"
)

// ErrNotFound is what Get returns for an object that does not exist.
var ErrNotFound = errors.New("not found")

// newClient trusts the certificate that the API server made for itself.
func newClient(certificate string) (*http.Client, error) {
	pem, err := os.ReadFile(certificate)
	if err != nil {
		return nil, fmt.Errorf("read the API server's certificate: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", certificate)
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}}, nil
}

// request asks the API server; the caller closes the body of the answer, which has status 200 or 404.
func (c *Cluster) request(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.server+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	if method == http.MethodPatch {
		r.Header.Set("Content-Type", "application/merge-patch+json")
	}
	response, err := c.client.Do(r)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusNotFound {
		text, _ := io.ReadAll(response.Body) // as much of the reason as there is
		return nil, errors.Join(fmt.Errorf("%s %s: %s\n%s", method, path, response.Status, text), response.Body.Close())
	}
	return response, nil
}

// object asks for one object.
func (c *Cluster) object(ctx context.Context, method string, ref Ref, body []byte) (Object, error) {
	response, err := c.request(ctx, method, ref.path()+"/"+url.PathEscape(ref.Name), body)
	if err != nil {
		return Object{}, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode == http.StatusNotFound {
		return Object{}, fmt.Errorf("%s: %w", ref, ErrNotFound)
	}
	var o Object
	if err := json.NewDecoder(response.Body).Decode(&o); err != nil {
		return Object{}, fmt.Errorf("read %s: %w", ref, err)
	}
	return o, nil
}

// Get returns an object, or ErrNotFound.
func (c *Cluster) Get(ctx context.Context, ref Ref) (Object, error) {
	return c.object(ctx, http.MethodGet, ref, nil)
}

// Patch merges a document into an object.
func (c *Cluster) Patch(ctx context.Context, ref Ref, document map[string]any) (Object, error) {
	body, err := json.Marshal(document)
	if err != nil {
		return Object{}, fmt.Errorf("encode a patch: %w", err)
	}
	return c.object(ctx, http.MethodPatch, ref, body)
}

// Watch calls see with each state of the named object (all of the kind in the namespace when the name is empty), from the
// present one on, until see returns true, ctx ends or the API server gives up. States of a moment may be left out where
// the API server folds them; conditions that a controller writes are not.
func (c *Cluster) Watch(ctx context.Context, ref Ref, see func(Object) bool) error {
	query := url.Values{"watch": {"true"}, "allowWatchBookmarks": {"false"}, "resourceVersion": {"0"}}
	if ref.Name != "" {
		query.Set("fieldSelector", "metadata.name="+ref.Name)
	}
	response, err := c.request(ctx, http.MethodGet, ref.path()+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	for events := json.NewDecoder(response.Body); ; {
		var event struct {
			Type   string
			Object Object
		}
		if err := events.Decode(&event); err != nil {
			return fmt.Errorf("watch %s: %w", ref, errors.Join(ctx.Err(), err))
		}
		if event.Type != "DELETED" && see(event.Object) {
			return nil
		}
	}
}

// Wait returns the first state of an object of which good says so.
func (c *Cluster) Wait(ctx context.Context, ref Ref, good func(Object) bool) (Object, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var last Object
	err := c.Watch(ctx, ref, func(o Object) bool {
		last = o
		return good(o)
	})
	if err != nil {
		return last, fmt.Errorf("%w; its last state is %s", err, last)
	}
	return last, nil
}

// Reconcile has Flux look at an object now, as `flux reconcile` does, and returns its state when Flux has. A source whose
// artifact is the same as before keeps it without a second look at the signature.
func (c *Cluster) Reconcile(ctx context.Context, ref Ref) (Object, error) {
	now := strconv.FormatInt(time.Now().UnixNano(), 10)
	mark := map[string]any{"metadata": map[string]any{"annotations": map[string]any{"reconcile.fluxcd.io/requestedAt": now}}}
	if _, err := c.Patch(ctx, ref, mark); err != nil {
		return Object{}, err
	}
	return c.Wait(ctx, ref, func(o Object) bool { return o.Status.LastHandledReconcileAt == now && o.settled() })
}

// Settle waits until Flux has come to a verdict about an object as it is now.
func (c *Cluster) Settle(ctx context.Context, ref Ref) (Object, error) {
	return c.Wait(ctx, ref, Object.settled)
}

// settled reports whether the controller is done with this generation: ready, or not for now.
func (o Object) settled() bool {
	ready := o.Condition("Ready")
	return ready.ObservedGeneration == o.Metadata.Generation && (ready.Status == "True" || ready.Status == "False")
}

// ready reports whether the API server is.
func (c *Cluster) ready(ctx context.Context) bool {
	response, err := c.request(ctx, http.MethodGet, "/readyz", nil)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

// answers reports whether a server says that it is well.
func answers(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil && response.StatusCode == http.StatusOK
}
