package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-openapi/runtime"
	"github.com/sigstore/rekor/pkg/generated/models"
	"github.com/sigstore/rekor/pkg/types"

	"github.com/artifactctl/artifactctl/plugins/signer"
	"github.com/artifactctl/artifactctl/plugins/signer/signertest"
)

// rekorV1 answers as Rekor of version 1 does below a path: with the entry, or where it is when it is there already. The
// second request gets 503.
func rekorV1(t *testing.T) (url string, requests *[]string) {
	t.Helper()
	var entry string // canonical, base64
	requests = &[]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*requests = append(*requests, r.Method+" "+r.URL.Path)
		w.Header().Set("Content-Type", "application/json")
		switch {
		case len(*requests) == 2:
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		case r.Method == http.MethodPost:
			proposed, err := models.UnmarshalProposedEntry(r.Body, runtime.JSONConsumer())
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			version, err := types.CreateVersionedEntry(proposed)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			canonical, err := types.CanonicalizeEntry(r.Context(), version)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			entry = base64.StdEncoding.EncodeToString(canonical)
			if len(*requests) > 2 {
				w.Header().Set("Location", "/base/api/v1/log/entries/"+strings.Repeat("a", 64))
				w.WriteHeader(http.StatusConflict)
				fmt.Fprint(w, `{"code": 409, "message": "an equivalent entry already exists"}`)
				return
			}
			w.Header().Set("Etag", strings.Repeat("a", 64))
			w.WriteHeader(http.StatusCreated)
		}
		fmt.Fprintf(w, `{"%s": {"body": %q, "integratedTime": 1790000000, "logIndex": 7, "logID": "%s", "verification": {"signedEntryTimestamp": "AAAA",
			"inclusionProof": {"checkpoint": "x", "hashes": [], "logIndex": 7, "rootHash": "%[3]s", "treeSize": 8}}}}`,
			strings.Repeat("a", 64), entry, strings.Repeat("b", 64))
	}))
	t.Cleanup(server.Close)
	return server.URL + "/base", requests
}

func TestRekorV1(t *testing.T) {
	clean(t)
	t.Setenv(defaultToken, jwt(time.Hour))
	url, requests := rekorV1(t)
	s := impatient()
	if _, err := s.Open(t.Context(), map[string]any{"fulcioURL": newStandIn(t).fulcio, "rekorURL": url, "rekorVersion": 1}); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		got, err := s.Sign(t.Context(), signertest.Request(signer.PayloadInToto, i))
		if err != nil {
			t.Fatal(err)
		}
		var b certified
		if err := json.Unmarshal(got.Content, &b); err != nil || len(b.VerificationMaterial.TlogEntries) != 1 || b.VerificationMaterial.TlogEntries[0].LogIndex != "7" {
			t.Errorf("%s, %v", got.Content, err)
		}
	}
	const entries = "/base/api/v1/log/entries"
	want := "POST " + entries + ", POST " + entries + ", POST " + entries + ", GET " + entries + "/" + strings.Repeat("a", 64)
	if got := strings.Join(*requests, ", "); got != want {
		t.Errorf("requests were %s, want %s", got, want)
	}
}
