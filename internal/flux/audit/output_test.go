package audit_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/artifactctl/artifactctl/internal/flux/audit"
	"github.com/artifactctl/artifactctl/internal/flux/manifest"
)

var update = flag.Bool("update", false, "write the golden files")

const baseline = `version: v1
exceptions:
  - rule: unverified-git
    object: GitRepository/flux-system/*
    reason: only the platform team can push
    until: "2026-12-31"
  - rule: unverifiable-bucket
    object: Bucket/infra/bucket
    reason: is being replaced
    until: "2026-01-31"
  - rule: unverifiable-chart
    object: HelmRelease/infra/gone
    file: infrastructure/*.yaml
    reason: upstream does not sign
`

var today = time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC)

func read(t *testing.T, text string) *audit.Baseline {
	t.Helper()
	b, err := audit.ReadBaseline("baseline.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestGolden(t *testing.T) {
	r := audit.Run(fleet(t), audit.Options{})
	read(t, baseline).Apply(r, today)
	log, err := json.MarshalIndent(r.SARIF("1.2.3"), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]string{"report.txt": r.Text(), "report.md": r.Markdown(), "report.sarif": string(log) + "\n"} {
		golden := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs; if that is meant, run the test with -update", name)
		}
	}
}

func TestBaseline(t *testing.T) {
	r := audit.Run(fleet(t), audit.Options{})
	all := len(r.Findings)
	read(t, baseline).Apply(r, today)
	if len(r.Accepted) != 1 || r.Accepted[0].Object != "GitRepository/flux-system/open-git" || r.Accepted[0].Reason == "" {
		t.Errorf("accepted %+v", r.Accepted)
	}
	if len(r.Findings) != all-1 {
		t.Errorf("%d of %d findings are left", len(r.Findings), all)
	}
	if len(r.Unused) != 2 || !r.Unused[0].Expired || r.Unused[0].Line != 7 || r.Unused[1].Expired || r.Unused[1].Rule != "unverifiable-chart" {
		t.Errorf("unused %+v", r.Unused)
	}
	later := audit.Run(fleet(t), audit.Options{})
	read(t, baseline).Apply(later, today.Add(2*time.Hour))
	if len(later.Accepted) != 0 || len(later.Findings) != all {
		t.Error("an exception outlives its last day")
	}
}

func TestNewBaselineAcceptsAll(t *testing.T) {
	text, err := audit.NewBaseline(audit.Run(fleet(t), audit.Options{}), "as of today")
	if err != nil {
		t.Fatal(err)
	}
	r := audit.Run(fleet(t), audit.Options{})
	read(t, string(text)).Apply(r, today)
	if n := r.Count(audit.Error) + r.Count(audit.Warning); n != 0 || len(r.Unused) != 0 {
		t.Errorf("%d findings are left, unused %v", n, r.Unused)
	}
	if r.Count(audit.Info) == 0 {
		t.Error("information is accepted, too")
	}
}

func TestBadBaselines(t *testing.T) {
	head := "version: v1\nexceptions:\n"
	for name, tt := range map[string]struct{ text, want string }{
		"empty":      {"", "want v1"},
		"version":    {"version: v2\n", "want v1"},
		"no YAML":    {"version: [", "baseline.yaml:1: "},
		"unknown":    {head + "- {rule: unverified-git, object: a, reason: b, who: me}\n", "baseline.yaml:3: there is no field who"},
		"no list":    {"version: v1\nexceptions: 3\n", "baseline.yaml:2: it cannot be a number there"},
		"no text":    {head + "- {rule: [a], object: a, reason: b}\n", "baseline.yaml:3: it cannot be a list there"},
		"rule":       {head + "- {rule: nope, object: a, reason: b}\n", `baseline.yaml:3: there is no rule "nope"`},
		"no reason":  {head + "- {rule: unverified-git, object: a}\n", "needs a reason"},
		"no object":  {head + "- {rule: unverified-git, reason: b}\n", "needs an object"},
		"pattern":    {head + "- {rule: unverified-git, object: '[', reason: b}\n", "is no pattern"},
		"day":        {head + "- {rule: unverified-git, object: a, reason: b, until: soon}\n", "is no day"},
		"both wrong": {head + "- {rule: nope, object: a, reason: b}\n- {rule: unverified-git, object: a}\n", "baseline.yaml:4"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := audit.ReadBaseline("baseline.yaml", []byte(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// Names in the audited files cannot write markup into a pull request.
func TestMarkdownIsInert(t *testing.T) {
	text := "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {name: \"a`|<script>\\n# b\", namespace: n}\nspec: {url: 'oci://x/|`<b>', verify: {provider: '<i>[x](y)|\n\n# z'}}\n"
	got := audit.Run([]manifest.File{{Path: "x.yaml", Content: []byte(text)}}, audit.Options{}).Markdown()
	if strings.Contains(got, "\n# ") || strings.Contains(got, "provider <i>") || strings.Contains(got, " [x](y)") || strings.Contains(got, ">[x](y)") || strings.Contains(got, "a`|<script>") {
		t.Errorf("markup gets through:\n%s", got)
	}
}

// certificateOf makes a certificate as Fulcio does, signed by itself: nobody here checks it.
func certificateOf(t *testing.T, issuer, subject string) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	value, err := asn1.MarshalWithParams(issuer, "utf8")
	if err != nil {
		t.Fatal(err)
	}
	uri, err := url.Parse(subject)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: today, NotAfter: today.Add(10 * time.Minute), URIs: []*url.URL{uri},
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8}, Value: value}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func bundleOf(material string) []byte {
	return []byte(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":` + material +
		`,"dsseEnvelope":{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"AAAA"}]}}`)
}

func keylessBundle(t *testing.T, issuer, subject string) []byte {
	return bundleOf(`{"certificate":{"rawBytes":"` + base64.StdEncoding.EncodeToString(certificateOf(t, issuer, subject)) +
		`"}}`)
}

func TestSignerOf(t *testing.T) {
	legacy := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificateOf(t, issuer, subject)})
	for name, tt := range map[string]struct {
		signature audit.Signature
		want      audit.Signer
		fails     bool
	}{
		"keyless": {audit.Signature{Bundle: keylessBundle(t, issuer, subject), Verified: true}, audit.Signer{Issuer: issuer, Subject: subject, Verified: true}, false},
		"key":     {audit.Signature{Bundle: bundleOf(`{"publicKey":{"hint":"x"}}`)}, audit.Signer{Key: true}, false},
		"legacy":  {audit.Signature{Certificate: legacy}, audit.Signer{Issuer: issuer, Subject: subject, Legacy: true}, false},
		"old key": {audit.Signature{}, audit.Signer{Key: true, Legacy: true}, false},
		"garbage": {audit.Signature{Bundle: []byte("{")}, audit.Signer{}, true},
		"no PEM":  {audit.Signature{Certificate: []byte("x")}, audit.Signer{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := audit.SignerOf(tt.signature)
			if got != tt.want || (err != nil) != tt.fails {
				t.Errorf("got %+v, %v; want %+v", got, err, tt.want)
			}
			if (got.Block() == "") != (tt.want.Issuer == "") {
				t.Errorf("block %q", got.Block())
			}
		})
	}
}

// upstreams is a registry by repository; others are unsigned.
type upstreams map[string]func() ([]audit.Signature, error)

func (u upstreams) Signatures(_ context.Context, r audit.Reference) ([]audit.Signature, error) {
	if answer, ok := u[fmt.Sprintf("%s %s%s%s", r.Repository, r.Tag, r.Semver, r.Digest)]; ok {
		return answer()
	}
	return nil, nil
}

func TestOnline(t *testing.T) {
	good := func() ([]audit.Signature, error) {
		return []audit.Signature{{Bundle: keylessBundle(t, issuer, subject)}}, nil
	}
	registry := upstreams{
		"ghcr.io/org/nothing latest": func() ([]audit.Signature, error) { // the bundle of an identity is what can be pasted
			signatures, err := good()
			return append([]audit.Signature{{}, {Bundle: bundleOf(`{"publicKey":{"hint":"x"}}`)}}, signatures...), err
		},
		"ghcr.io/org/charts/metrics 1.2.3_build.1": good,
		"ghcr.io/org/rolling edge":                 good,
		"ghcr.io/org/any-branch 1.x": func() ([]audit.Signature, error) {
			return []audit.Signature{{Bundle: keylessBundle(t, issuer, "https://github.com/evil/x/.github/workflows/x.yaml@refs/heads/main"), Verified: true}}, nil
		},
		"ghcr.io/org/null 1.x": func() ([]audit.Signature, error) { return nil, errors.New("too many requests") },
	}
	registry["ghcr.io/org/open 1.x"] = func() ([]audit.Signature, error) { return []audit.Signature{{Bundle: []byte("{}")}}, nil }
	r := audit.Run(fleet(t), audit.Options{})
	if err := audit.Online(t.Context(), r, registry, 4); err != nil {
		t.Fatal(err)
	}
	byObject := map[string]map[string]audit.Finding{}
	for _, f := range r.Findings {
		if byObject[f.Object] == nil {
			byObject[f.Object] = map[string]audit.Finding{}
		}
		byObject[f.Object][f.Rule] = f
	}
	if f := byObject["OCIRepository/apps/nothing"]["unverified-source"]; !strings.Contains(f.Block, `publish\.yaml@refs/heads/main$'`) || !strings.Contains(f.Fix, "as its certificate claims") {
		t.Errorf("no block to paste: %+v", f)
	}
	if f := byObject["HelmRelease/infra/unverified"]["unverified-chart"]; f.Block == "" || !strings.Contains(f.Fix, "chartRef") {
		t.Errorf("no block for the chart: %+v", f)
	}
	if f, ok := byObject["OCIRepository/apps/any-branch"]["upstream-other-identity"]; !ok || !strings.Contains(f.Message, "evil") || f.Severity != audit.Error {
		t.Errorf("the other identity: %+v", f)
	}
	if f, ok := byObject["OCIRepository/apps/null"]["upstream-unknown"]; !ok || !strings.Contains(f.Message, "too many requests") {
		t.Errorf("unknown: %+v", f)
	}
	if _, ok := byObject["OCIRepository/apps/open"]["upstream-unknown"]; !ok {
		t.Error("a signature that cannot be read counts as none")
	}
	if _, ok := byObject["OCIRepository/apps/keyed"]["upstream-unsigned"]; !ok {
		t.Error("unsigned is not told")
	}
	if len(byObject["OCIRepository/apps/rolling"]) != 1 {
		t.Errorf("what fits: %+v", byObject["OCIRepository/apps/rolling"])
	}
	for _, s := range r.Sources {
		if s.ID() == "OCIRepository/apps/variables" && s.Upstream != nil {
			t.Error("a url with a variable was asked for")
		}
	}
}

func TestOnlineStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := audit.Online(ctx, audit.Run(fleet(t), audit.Options{}), upstreams{}, 2); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
