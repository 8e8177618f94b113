package keyless_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/plugins/signer/rpc"
)

// Variables of the forger. The first makes the test's own program a signer that lets signer-keyless sign and changes the
// answer: it holds what. The second is the directory of signer-keyless.
const (
	forgeEnv    = "KEYLESS_FORGE"
	programsEnv = "KEYLESS_PROGRAMS"
)

// forger is a signer.Signer that changes what another one answers.
type forger struct{ honest *rpc.Process }

// Open starts signer-keyless.
func (f *forger) Open(ctx context.Context, with map[string]any) (signer.Info, error) {
	var err error
	f.honest, err = rpc.Start(ctx, rpc.StartOptions{
		Name: "honest", Path: filepath.Join(os.Getenv(programsEnv), "signer-keyless"), Env: []string{"SIGSTORE_ID_TOKEN=" + os.Getenv("SIGSTORE_ID_TOKEN")}, Dir: ".",
	})
	if err != nil {
		return signer.Info{}, err
	}
	return f.honest.Open(ctx, with)
}

// Sign forges.
func (f *forger) Sign(ctx context.Context, r signer.Request) (signer.Signature, error) {
	s, err := f.honest.Sign(ctx, r)
	if err != nil {
		return s, err
	}
	var b map[string]any
	if err := json.Unmarshal(s.Content, &b); err != nil {
		return s, err
	}
	material := b["verificationMaterial"].(map[string]any)
	entry := material["tlogEntries"].([]any)[0].(map[string]any)
	switch what := os.Getenv(forgeEnv); what {
	case "no log entry":
		delete(material, "tlogEntries")
	case "no timestamp":
		delete(material, "timestampVerificationData")
	case "no proof":
		delete(entry, "inclusionProof")
	case "made-up time":
		entry["integratedTime"] = strconv.FormatInt(time.Now().Unix(), 10)
	case "other payload":
		b["dsseEnvelope"].(map[string]any)["payload"] = "e30="
	case "old entry":
		// An honest entry, of another signature by the same certificate.
		r.Payload = append([]byte(" "), r.Payload...)
		other, err := f.honest.Sign(ctx, r)
		if err != nil {
			return s, err
		}
		var from map[string]any
		if err := json.Unmarshal(other.Content, &from); err != nil {
			return s, err
		}
		material["tlogEntries"] = from["verificationMaterial"].(map[string]any)["tlogEntries"]
	default:
		return s, fmt.Errorf("%w: nothing to forge is called %q", signer.ErrInvalid, what)
	}
	s.Content, err = json.Marshal(b)
	return s, err
}
