package stack

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	ct "github.com/google/certificate-transparency-go"
	"github.com/google/certificate-transparency-go/tls"
)

// certificateLog promises to log certificates (RFC 6962), truly signed, and logs nothing.
type certificateLog struct {
	server *httptest.Server
	key    *ecdsa.PrivateKey
	id     [sha256.Size]byte
}

func newCertificateLog() (*certificateLog, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the key of the certificate log: %w", err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("encode the key of the certificate log: %w", err)
	}
	l := &certificateLog{key: key, id: sha256.Sum256(der)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /ct/v1/add-chain", l.add(ct.X509LogEntryType))
	mux.HandleFunc("POST /ct/v1/add-pre-chain", l.add(ct.PrecertLogEntryType))
	l.server = httptest.NewServer(mux)
	return l, nil
}

func (l *certificateLog) add(kind ct.LogEntryType) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var request ct.AddChainRequest
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		promise, err := l.promise(kind, request.Chain)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer(promise)(w, r)
	}
}

// promise signs a timestamp for a chain, leaf first.
func (l *certificateLog) promise(kind ct.LogEntryType, chain [][]byte) (ct.AddChainResponse, error) {
	none := ct.AddChainResponse{}
	var certificates []ct.ASN1Cert
	for _, der := range chain {
		certificates = append(certificates, ct.ASN1Cert{Data: der})
	}
	now := uint64(time.Now().UnixMilli())
	leaf, err := ct.MerkleTreeLeafFromRawChain(certificates, kind, now)
	if err != nil {
		return none, err
	}
	sct := ct.SignedCertificateTimestamp{SCTVersion: ct.V1, LogID: ct.LogID{KeyID: l.id}, Timestamp: now}
	input, err := ct.SerializeSCTSignatureInput(sct, ct.LogEntry{Leaf: *leaf})
	if err != nil {
		return none, err
	}
	signed, err := tls.CreateSignature(*l.key, tls.SHA256, input)
	if err != nil {
		return none, err
	}
	signature, err := tls.Marshal(signed)
	if err != nil {
		return none, err
	}
	return ct.AddChainResponse{SCTVersion: ct.V1, ID: l.id[:], Timestamp: now, Signature: signature}, nil
}
