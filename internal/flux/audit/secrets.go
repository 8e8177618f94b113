package audit

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/artifactctl/artifactctl/internal/flux/manifest"
)

// secrets are the Secrets of the set by what is known of them.
type secrets struct {
	known []secret
	// namespaces that hold any Secret in the set: there, one that is named and not found is missing.
	namespaces map[string]bool
}

type secret struct {
	namespace, name string
	data            map[string][]byte // nil when the content is not in the set
}

// readSecrets collects Secrets, and those that something else will create: external and sealed secrets, generators.
func readSecrets(objects []manifest.Object) secrets {
	s := secrets{namespaces: map[string]bool{}}
	for _, o := range objects {
		switch {
		case o.Kind == "Secret" && o.APIVersion == "v1":
			s.known = append(s.known, secret{o.Namespace, o.Name, secretData(o)})
			s.namespaces[o.Namespace] = true
		case o.Kind == "ExternalSecret" || o.Kind == "SealedSecret" || o.Kind == "SopsSecret" || o.Kind == "VaultStaticSecret":
			s.known = append(s.known, secret{o.Namespace, o.Name, nil})
			for _, path := range [][]string{{"spec", "target", "name"}, {"spec", "template", "metadata", "name"}, {"spec", "destination", "name"}} {
				if name := manifest.Text(o.Node, path...); name != "" {
					s.known = append(s.known, secret{o.Namespace, name, nil})
				}
			}
		case o.Kind == "Kustomization" || o.Kind == "Component":
			for _, g := range manifest.Items(o.Node, "secretGenerator") {
				s.known = append(s.known, secret{manifest.Text(g, "namespace"), manifest.Text(g, "name"), nil})
			}
		}
	}
	return s
}

// secretData decodes a Secret; it is nil when the content is encrypted.
func secretData(o manifest.Object) map[string][]byte {
	data := map[string][]byte{}
	for _, field := range []string{"data", "stringData"} {
		m := manifest.Get(o.Node, field)
		if m == nil || m.Kind != yaml.MappingNode {
			continue
		}
		for i := 0; i+1 < len(m.Content); i += 2 {
			value := manifest.Follow(m.Content[i+1]).Value
			if strings.HasPrefix(value, "ENC[") || hasVariable(value) {
				return nil
			}
			text := []byte(value)
			if field == "data" {
				var err error
				if text, err = base64.StdEncoding.DecodeString(strings.TrimSpace(value)); err != nil {
					return nil // masked, or not of Kubernetes
				}
			}
			data[m.Content[i].Value] = text
		}
	}
	return data
}

// purpose is what a Secret is needed for.
type purpose int

const (
	cosignKeys purpose = iota
	notationCertificates
	trustedRoots
	gitKeys
)

// secret judges the Secret that a source names and returns how many keys it holds, if that is known.
func (a *auditor) secret(s *subject, name string, p purpose) int {
	if name == "" || hasVariable(name) {
		return 0
	}
	at := manifest.Get(s.verify, "secretRef")
	if p == trustedRoots {
		at = manifest.Get(s.verify, "trustedRootSecretRef")
	}
	found, ok := a.secrets.find(s.object.Namespace, name)
	if !ok {
		if a.secrets.namespaces[s.object.Namespace] && s.object.Namespace != "" { // a kustomization may set an empty one
			a.found(s, secretMissing, at, "there is no Secret "+name+" among the Secrets of its namespace", "create it in the source's own namespace")
		}
		return 0
	}
	if found.data == nil {
		return 0
	}
	n := a.entries(s, at, found, p)
	if n == 0 {
		a.found(s, secretWithoutKeys, at, "the Secret "+name+" has no entry "+entryName(p), "add it")
	}
	return n
}

func (s secrets) find(namespace, name string) (secret, bool) {
	for _, known := range s.known {
		if known.name == name && sameNamespace(known.namespace, namespace) {
			return known, true
		}
	}
	return secret{}, false
}

func entryName(p purpose) string {
	switch p {
	case cosignKeys:
		return "that ends in .pub"
	case notationCertificates:
		return "trustpolicy.json, or none that ends in .crt or .pem"
	case trustedRoots:
		return "trusted_root.json"
	}
	return "at all"
}

// entries counts what serves the purpose, and reports what Flux cannot use.
func (a *auditor) entries(s *subject, at *yaml.Node, found secret, p purpose) int {
	n := 0
	for _, name := range sortedNames(found.data) {
		value := found.data[name]
		if strings.Contains(string(value), "PRIVATE KEY-----") {
			a.found(s, privateKey, at, "the Secret "+found.name+" holds a private key in "+name, "keep the private key elsewhere, and only the public one here")
		}
		switch {
		case p == cosignKeys && strings.HasSuffix(name, ".pub"):
			n++
			if problem := keyProblem(value); problem != "" {
				a.found(s, keyInvalid, at, "entry "+name+" of the Secret "+found.name+" "+problem, "put a public key in PEM there, or remove the entry")
			}
		case p == notationCertificates && (strings.HasSuffix(name, ".crt") || strings.HasSuffix(name, ".pem")):
			n++
		case p == trustedRoots && name == "trusted_root.json":
			n++
			if !json.Valid(value) {
				a.found(s, keyInvalid, at, "trusted_root.json of the Secret "+found.name+" is not JSON", "put the trusted root there")
			}
		case p == gitKeys:
			n++
		}
	}
	if _, ok := found.data["trustpolicy.json"]; p == notationCertificates && !ok {
		return 0
	}
	return n
}

// keyProblem says what is wrong with a public key, as far as Flux minds: it reads the first PEM block.
func keyProblem(text []byte) string {
	if len(text) == 0 {
		return "is empty"
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return "is not PEM"
	}
	switch block.Type {
	case "PUBLIC KEY":
		if _, err := x509.ParsePKIXPublicKey(block.Bytes); err != nil {
			return "is not a public key that Flux knows"
		}
	case "RSA PUBLIC KEY":
		if _, err := x509.ParsePKCS1PublicKey(block.Bytes); err != nil {
			return "is not an RSA key"
		}
	default:
		return "is a PEM block of type " + block.Type + " and not a public key"
	}
	return ""
}
