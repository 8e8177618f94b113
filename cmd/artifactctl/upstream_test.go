package main_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/artifactctl/artifactctl/internal/attest/attesttest"
	"github.com/artifactctl/artifactctl/plugins/signer"
)

// upstreamCommand is `upstream fleet DIR`, which copies the fleet that the auditor is tested with; `upstream expand FILE...`,
// which puts the registries' addresses into files; and `upstream push HOST/REPOSITORY:TAG SIGNATURE...`, which pushes an
// artifact as others do, with signatures of these kinds: key and keyless make bundles, legacy and legacy-keyless what
// cosign made before, provenance an attestation by an identity, and garbage a bundle that nobody can read. Only their form
// is that of signatures, but for private: a Sigstore makes that, whose trusted root is written to private_root.json.
func upstreamCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: upstream fleet|expand|push")
	}
	if args[0] == "fleet" {
		ts.Check(os.CopyFS(ts.MkAbs(args[1]), os.DirFS(filepath.FromSlash("../../internal/flux/audit/testdata/fleet"))))
		return
	}
	if args[0] == "expand" {
		for _, name := range args[1:] {
			text := strings.NewReplacer("$REGISTRY_REFERRERS", ts.Getenv("REGISTRY_REFERRERS"), "$REGISTRY", ts.Getenv("REGISTRY")).Replace(ts.ReadFile(name))
			ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o644))
		}
		return
	}
	host, rest, _ := strings.Cut(args[1], "/")
	repository, tag, _ := strings.Cut(rest, ":")
	u := upstream{ts: ts, base: "http://" + host + "/v2/" + repository}
	subject := u.push(tag, ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, Config: u.blob("application/vnd.cncf.helm.config.v1+json", []byte("{}")),
		Layers: []ocispec.Descriptor{u.blob("application/vnd.cncf.helm.chart.content.v1.tar+gzip", []byte(args[1]))}})
	var legacy []ocispec.Descriptor
	for _, kind := range args[2:] {
		if strings.HasPrefix(kind, "legacy") {
			legacy = append(legacy, u.legacy(subject, kind == "legacy-keyless"))
			continue
		}
		u.bundle(subject, kind)
	}
	if len(legacy) > 0 {
		u.push(strings.Replace(subject.Digest.String(), ":", "-", 1)+".sig", ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest,
			Config: u.blob(ocispec.MediaTypeImageConfig, []byte("{}")), Layers: legacy})
	}
}

// The identity that signs upstream.
const (
	upstreamIssuer  = "https://token.actions.githubusercontent.com"
	upstreamSubject = "https://github.com/upstream/charts/.github/workflows/release.yaml@refs/heads/main"
)

type upstream struct {
	ts   *testscript.TestScript
	base string
}

func (u upstream) put(path, mediaType string, content []byte) {
	r, err := http.NewRequest(http.MethodPut, u.base+path, bytes.NewReader(content))
	u.ts.Check(err)
	r.Header.Set("Content-Type", mediaType)
	answer, err := http.DefaultClient.Do(r)
	u.ts.Check(err)
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusCreated {
		u.ts.Fatalf("PUT %s: %s", path, answer.Status)
	}
}

func (u upstream) blob(mediaType string, content []byte) ocispec.Descriptor {
	d := digest.FromBytes(content)
	u.put("/blobs/uploads/1?digest="+d.String(), "application/octet-stream", content)
	return ocispec.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(content))}
}

func (u upstream) push(tag string, m ocispec.Manifest) ocispec.Descriptor {
	m.SchemaVersion = 2
	text, err := json.Marshal(m)
	u.ts.Check(err)
	d := ocispec.Descriptor{MediaType: m.MediaType, Digest: digest.FromBytes(text), Size: int64(len(text))}
	if tag == "" {
		tag = d.Digest.String()
	}
	u.put("/manifests/"+tag, m.MediaType, text)
	return d
}

// bundle attaches a bundle. The registry has to keep referrers itself.
func (u upstream) bundle(subject ocispec.Descriptor, kind string) {
	const mediaType = "application/vnd.dev.sigstore.bundle.v0.3+json"
	material := `{"publicKey":{"hint":"x"}}`
	if kind == "keyless" || kind == "provenance" {
		block, _ := pem.Decode(u.certificate())
		material = `{"certificate":{"rawBytes":"` + base64.StdEncoding.EncodeToString(block.Bytes) + `"}}`
	}
	predicate := "https://sigstore.dev/cosign/sign/v1"
	if kind == "provenance" {
		predicate = "https://slsa.dev/provenance/v1"
	}
	statement := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"%s"}}],"predicateType":"%s"}`, subject.Digest.Encoded(), predicate)
	if kind == "private" {
		u.private(subject, mediaType, statement)
		return
	}
	content := fmt.Sprintf(`{"mediaType":"%s","verificationMaterial":%s,"dsseEnvelope":{"payload":"%s","payloadType":"application/vnd.in-toto+json","signatures":[{"sig":"AAAA"}]}}`,
		mediaType, material, base64.StdEncoding.EncodeToString([]byte(statement)))
	if kind == "garbage" {
		content = "{}"
	}
	u.attach(subject, mediaType, []byte(content))
}

func (u upstream) attach(subject ocispec.Descriptor, mediaType string, content []byte) {
	u.push("", ocispec.Manifest{MediaType: ocispec.MediaTypeImageManifest, ArtifactType: mediaType, Subject: &subject,
		Config: u.blob(ocispec.MediaTypeEmptyJSON, []byte("{}")), Layers: []ocispec.Descriptor{u.blob(mediaType, content)}})
}

// private attaches a bundle with all the evidence that there can be.
func (u upstream) private(subject ocispec.Descriptor, mediaType, statement string) {
	s, err := attesttest.New()
	u.ts.Check(err)
	root, err := s.TrustedRoot()
	u.ts.Check(err)
	u.ts.Check(os.WriteFile(u.ts.MkAbs("private_root.json"), root, 0o644))
	signed, err := s.Sign(signer.Request{PayloadType: signer.PayloadInToto, Payload: []byte(statement)}, attesttest.SignOptions{Subject: "ci@example.com", Issuer: upstreamIssuer, Log: s})
	u.ts.Check(err)
	u.attach(subject, mediaType, signed.Content)
}

func (u upstream) legacy(subject ocispec.Descriptor, certified bool) ocispec.Descriptor {
	layer := u.blob("application/vnd.dev.cosign.simplesigning.v1+json", fmt.Appendf(nil, `{"critical":{"image":{"docker-manifest-digest":"%s"}}}`, subject.Digest))
	layer.Annotations = map[string]string{"dev.cosignproject.cosign/signature": "AAAA"}
	if certified {
		layer.Annotations["dev.sigstore.cosign/certificate"] = string(u.certificate())
	}
	return layer
}

// certificate is one as Fulcio makes them, signed by itself.
func (u upstream) certificate() []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	u.ts.Check(err)
	issuer, err := asn1.MarshalWithParams(upstreamIssuer, "utf8")
	u.ts.Check(err)
	subject, err := url.Parse(upstreamSubject)
	u.ts.Check(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour), URIs: []*url.URL{subject},
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8}, Value: issuer}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	u.ts.Check(err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
