package stack

import (
	"crypto/x509"
	"fmt"
	"io"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/timestamp-authority/v2/pkg/server"
	"github.com/spf13/viper"
)

// policy is the timestamp policy of Sigstore's own authority.
const policy = "1.3.6.1.4.1.57264.2"

// timestampAuthority is the real authority (RFC 3161) with a key in memory.
type timestampAuthority struct {
	server *httptest.Server
	url    string              // of the endpoint itself
	chain  []*x509.Certificate // leaf first, root last
}

// sharedTimestampAuthority is started once for all Stacks and lives as long as the process: its server keeps the key in
// a global variable, so that a second one would take the place of the first.
var sharedTimestampAuthority = sync.OnceValues(newTimestampAuthority)

// newTimestampAuthority sets viper's global values, for that is where the server looks for its own.
func newTimestampAuthority() (*timestampAuthority, error) {
	for key, value := range map[string]any{
		"timestamp-signer": "memory", "timestamp-signer-hash": "sha256",
		"accepted-policy-oids": []string{policy}, "default-policy-oid": policy,
	} {
		viper.Set(key, value)
	}
	api := server.NewRestAPIServer("127.0.0.1", 0, []string{"http"}, false, 10*time.Second, 10*time.Second)
	a := &timestampAuthority{server: httptest.NewServer(api.GetHandler())}
	a.url = a.server.URL + "/api/v1/timestamp"
	var err error
	if a.chain, err = a.fetchChain(); err != nil {
		a.server.Close()
		return nil, fmt.Errorf("ask for the timestamp authority's chain: %w", err)
	}
	return a, nil
}

func (a *timestampAuthority) fetchChain() ([]*x509.Certificate, error) {
	response, err := a.server.Client().Get(a.url + "/certchain")
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	return cryptoutils.UnmarshalCertificatesFromPEM(text)
}
