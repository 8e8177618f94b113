package registry

import (
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strings"
	"syscall"
)

// Hint says what the user can do about the error; empty when there is nothing to say.
func (e *Error) Hint() string {
	if e.Err != nil && e.tokenError == 0 {
		return connectionHint(e.host, e.Err)
	}
	status := e.Status
	if e.tokenError != 0 {
		status = e.tokenError
	}
	if immutable(e) {
		return "the registry keeps existing tags immutable; let it overwrite this tag, or use a new one"
	}
	switch status {
	case http.StatusOK:
		return "check registry.url: the answer did not come from a registry"
	case http.StatusUnauthorized:
		return "log in with `docker login " + e.host + "`, or set registry.credentials"
	case http.StatusForbidden:
		return "the account lacks a right on this repository (publishing needs pull and push), or the registry does not let it create the repository"
	case http.StatusNotFound:
		if e.Method != http.MethodGet && e.Method != http.MethodHead {
			return "the registry does not create repositories or their owner by itself; create it first"
		}
		if !e.notFound() {
			return "check registry.url: the answer did not come from a registry"
		}
	case http.StatusProxyAuthRequired:
		return "the proxy wants a login; check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
	case http.StatusRequestEntityTooLarge:
		return "the registry, or a proxy before it, limits the size of uploads"
	case http.StatusTooManyRequests:
		return "the registry limits the rate of requests; try later, or with less concurrency"
	case http.StatusBadRequest:
		if strings.Contains(e.Message, "HTTPS") {
			return "the registry speaks HTTPS: set registry.tls.ca, or do not set registry.insecure"
		}
	}
	return ""
}

// immutable recognises the words with which registries refuse to move a tag (ECR, Harbor, ACR, Artifact Registry).
func immutable(e *Error) bool {
	if e.Method != http.MethodPut || e.kind != manifestsKind {
		return false
	}
	return e.Status == http.StatusMethodNotAllowed || strings.Contains(strings.ToLower(e.Code+" "+e.Message), "immutable")
}

func connectionHint(host string, err error) string {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &op) && op.Op == "proxyconnect", strings.Contains(err.Error(), "Proxy Authentication Required"):
		return "the proxy cannot be used; check HTTPS_PROXY, HTTP_PROXY and NO_PROXY"
	case errors.As(err, &authority):
		return "the registry's certificate is of an unknown authority; set registry.tls.ca to the file of its CA"
	case errors.As(err, &name):
		return "the certificate is for another name; check registry.url"
	case errors.As(err, &op) && op.Op == "remote error", // a TLS alert, as HTTP/1 and HTTP/2 report it
		strings.Contains(err.Error(), "http2: client conn could not be established"):
		return "the registry refused the TLS connection; if it wants a client certificate, set registry.tls.cert and registry.tls.key"
	case errors.Is(err, http.ErrSchemeMismatch):
		return "the registry speaks plain HTTP; set registry.insecure: true if that is meant"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens at " + host + "; is the registry running, and registry.url right?"
	case errors.As(err, &dns) && dns.IsNotFound:
		return "the name " + dns.Name + " does not exist; check registry.url"
	case strings.Contains(err.Error(), "executable file not found"):
		return "docker's configuration names a credential helper that is not installed"
	}
	return ""
}
