package tuftest

import (
	"encoding/json"
	"fmt"
	"time"

	prototrustroot "github.com/sigstore/protobuf-specs/gen/pb-go/trustroot/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
)

// Sigstore makes the targets that tell of a Sigstore with this Fulcio. Nobody is behind its other services; people sign
// in at https://people.example.com.
func Sigstore(fulcio string) (map[string][]byte, error) {
	virtual, err := ca.NewVirtualSigstore()
	if err != nil {
		return nil, fmt.Errorf("make a Sigstore: %w", err)
	}
	trusted, err := root.NewTrustedRoot(root.TrustedRootMediaType01, virtual.FulcioCertificateAuthorities(), virtual.CTLogs(),
		virtual.TimestampingAuthorities(), virtual.RekorLogs())
	if err != nil {
		return nil, fmt.Errorf("make a trusted root: %w", err)
	}
	service := func(url string, version uint32) []root.Service {
		return []root.Service{{URL: url, MajorAPIVersion: version, ValidityPeriodStart: time.Now().Add(-time.Hour), Operator: "test"}}
	}
	any := root.ServiceConfiguration{Selector: prototrustroot.ServiceSelector_ANY}
	config, err := root.NewSigningConfig(root.SigningConfigMediaType02, service(fulcio, 1), service("https://people.example.com", 1),
		service("https://rekor.example.com", 2), any, service("https://tsa.example.com", 1), any)
	if err != nil {
		return nil, fmt.Errorf("make a signing config: %w", err)
	}
	out := map[string][]byte{}
	for name, document := range map[string]json.Marshaler{TrustedRoot: trusted, SigningConfig: config} {
		if out[name], err = document.MarshalJSON(); err != nil {
			return nil, fmt.Errorf("encode %s: %w", name, err)
		}
	}
	return out, nil
}
