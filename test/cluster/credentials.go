package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
)

// writeCredentials writes the administrator's token and a key for the tokens of service accounts, and returns the key's
// file.
func (c *Cluster) writeCredentials() (string, error) {
	if err := os.MkdirAll(c.path("pki"), 0o700); err != nil {
		return "", fmt.Errorf("make a directory for keys: %w", err)
	}
	line := fmt.Sprintf("%s,admin,1,%q\n", token, "system:masters")
	if err := os.WriteFile(c.path("tokens.csv"), []byte(line), 0o600); err != nil {
		return "", fmt.Errorf("write the administrator's token: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", fmt.Errorf("make a key for service accounts: %w", err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return "", fmt.Errorf("encode the key for service accounts: %w", err)
	}
	file := c.path("pki", "accounts.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		return "", fmt.Errorf("write the key for service accounts: %w", err)
	}
	return file, nil
}
