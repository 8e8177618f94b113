package cloud

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// Where AWS's test account is, and what it knows.
const (
	AWSRegion     = "eu-central-1"
	AWSHost       = "kms." + AWSRegion + ".amazonaws.com"
	AWSTokenHost  = "sts." + AWSRegion + ".amazonaws.com"
	AWSAccount    = "111122223333"
	AWSAccessKey  = "AKIAIOSFODNN7EXAMPLE"
	AWSSecret     = "wJalrXUtnFEMI-secret-of-the-test"
	AWSSession    = "FwoGZXIvYXdz-session-of-the-test"
	AWSRole       = "arn:aws:iam::" + AWSAccount + ":role/publisher"
	AWSWebToken   = "eyJ-web-identity-of-the-test"
	awsActionHead = "TrentService."
)

// AWS is KMS in one region, in its JSON 1.1 protocol, and as much of STS as gives it credentials.
type AWS struct {
	faults
	mu     sync.Mutex
	keys   map[string]*awsKey // by ID and by alias
	denied map[string]bool    // actions that the identity may not do
	accept map[string]bool    // access keys that are known
}

type awsKey struct {
	id, spec, usage, state string
	algorithms             []string
	key                    crypto.Signer
}

// NewAWS adds AWS to an internet.
func NewAWS(n *Internet) *AWS {
	a := &AWS{keys: map[string]*awsKey{}, denied: map[string]bool{}, accept: map[string]bool{AWSAccessKey: true}}
	n.Handle(AWSHost, a)
	n.Handle("localhost", a)
	n.Handle(AWSTokenHost, http.HandlerFunc(a.serveSTS))
	return a
}

// AWSKeyID is the ID of the n-th key.
func AWSKeyID(n int) string { return fmt.Sprintf("1234abcd-12ab-34cd-56ef-%012d", n) }

// AWSKeyARN is its ARN.
func AWSKeyARN(n int) string {
	return "arn:aws:kms:" + AWSRegion + ":" + AWSAccount + ":key/" + AWSKeyID(n)
}

// AddKey makes the n-th key, of a kind, and returns its public half. Its algorithms are in an order that is none.
func (a *AWS) AddKey(t testing.TB, n int, kind string) crypto.PublicKey {
	t.Helper()
	k := &awsKey{id: AWSKeyID(n), usage: "SIGN_VERIFY", state: "Enabled", key: Key(t, kind, AWSKeyID(n))}
	switch kind {
	case P256:
		k.spec, k.algorithms = "ECC_NIST_P256", []string{"ECDSA_SHA_256"}
	case P384:
		k.spec, k.algorithms = "ECC_NIST_P384", []string{"ECDSA_SHA_384"}
	case P521:
		k.spec, k.algorithms = "ECC_NIST_P521", []string{"ECDSA_SHA_512"}
	case Ed25519:
		k.spec, k.algorithms = "ECC_NIST_EDWARDS25519", []string{"ED25519_SHA_512", "ED25519_PH_SHA_512"}
	default:
		k.spec = "RSA_" + strings.TrimPrefix(kind, "rsa")
		k.algorithms = []string{"RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512", "RSASSA_PKCS1_V1_5_SHA_512", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_256"}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keys[k.id] = k
	return k.key.Public()
}

// Alias makes an alias name the n-th key.
func (a *AWS) Alias(name string, n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keys["alias/"+name] = a.keys[AWSKeyID(n)]
}

// SetState changes the state of the n-th key (Enabled, Disabled, PendingDeletion) and its usage.
func (a *AWS) SetState(n int, state, usage string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k := a.keys[AWSKeyID(n)]
	k.state, k.usage = state, usage
	if usage != "SIGN_VERIFY" {
		k.algorithms = nil
	}
}

// Deny takes the permission for an action (Sign, GetPublicKey, DescribeKey) away, or gives it back.
func (a *AWS) Deny(action string, denied bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.denied[action] = denied
}

type awsRequest struct {
	KeyID            string `json:"KeyId"`
	Message          []byte `json:"Message"`
	MessageType      string `json:"MessageType"`
	SigningAlgorithm string `json:"SigningAlgorithm"`
}

type awsError struct{ code, message string }

func (a *AWS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	action := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), awsActionHead)
	if a.spoiled(w, r, action) {
		return
	}
	var request awsRequest
	err := json.NewDecoder(r.Body).Decode(&request)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	answer, refused := map[string]any(nil), &awsError{"SerializationException", "not JSON"}
	if err == nil {
		answer, refused = a.answer(r, action, request)
	}
	if refused != nil {
		WriteAWSError(w, http.StatusBadRequest, refused.code, refused.message)
		return
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// WriteAWSError writes an error as KMS does.
func WriteAWSError(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": code, "message": message})
}

func (a *AWS) answer(r *http.Request, action string, request awsRequest) (map[string]any, *awsError) {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, rest, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	accessKey, scope, _ := strings.Cut(rest, "/")
	if !a.accept[accessKey] {
		return nil, &awsError{"UnrecognizedClientException", "The security token included in the request is invalid."}
	}
	if !strings.Contains(scope, "/"+AWSRegion+"/kms/") {
		return nil, &awsError{"InvalidSignatureException", "Credential should be scoped to a valid region. The Canonical String was x-amz-security-token:" + r.Header.Get("X-Amz-Security-Token")}
	}
	if strings.Contains(request.KeyID, ":") && !strings.Contains(request.KeyID, ":"+AWSRegion+":") {
		return nil, &awsError{"NotFoundException", "Invalid arn"}
	}
	id := request.KeyID[strings.LastIndex(request.KeyID, ":")+1:]
	k := a.keys[strings.TrimPrefix(id, "key/")]
	if k == nil {
		return nil, &awsError{"NotFoundException", fmt.Sprintf("Key '%s' does not exist", request.KeyID)}
	}
	arn := "arn:aws:kms:" + AWSRegion + ":" + AWSAccount + ":key/" + k.id
	if a.denied[action] {
		return nil, &awsError{"AccessDeniedException", fmt.Sprintf("User: %s is not authorized to perform: kms:%s on resource: %s because no identity-based policy allows the kms:%s action", AWSRole, action, arn, action)}
	}
	metadata := map[string]any{"KeyId": k.id, "Arn": arn, "KeySpec": k.spec, "KeyUsage": k.usage, "KeyState": k.state, "SigningAlgorithms": k.algorithms}
	if action == "DescribeKey" {
		return map[string]any{"KeyMetadata": metadata}, nil
	}
	switch k.state {
	case "Disabled":
		return nil, &awsError{"DisabledException", arn + " is disabled."}
	case "PendingDeletion":
		return nil, &awsError{"KMSInvalidStateException", arn + " is pending deletion."}
	}
	if action == "GetPublicKey" {
		der, err := x509.MarshalPKIXPublicKey(k.key.Public())
		if err != nil {
			return nil, &awsError{"KMSInternalException", err.Error()}
		}
		metadata["PublicKey"] = der
		return metadata, nil
	}
	return k.sign(arn, request)
}

func (k *awsKey) sign(arn string, request awsRequest) (map[string]any, *awsError) {
	if k.usage != "SIGN_VERIFY" {
		return nil, &awsError{"InvalidKeyUsageException", arn + " key usage is " + k.usage + " which is not valid for Sign."}
	}
	known := false
	for _, algorithm := range k.algorithms {
		known = known || algorithm == request.SigningAlgorithm
	}
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[request.SigningAlgorithm[max(0, len(request.SigningAlgorithm)-3):]]
	_, pure := k.key.(ed25519.PrivateKey)
	switch {
	case !known:
		return nil, &awsError{"InvalidKeyUsageException", fmt.Sprintf("Algorithm %s is incompatible with key spec %s.", request.SigningAlgorithm, k.spec)}
	case pure || request.MessageType != "DIGEST":
		return nil, &awsError{"ValidationException", "this server signs digests only"}
	case len(request.Message) != hash.Size():
		return nil, &awsError{"ValidationException", fmt.Sprintf("Digest is invalid length for algorithm %s.", request.SigningAlgorithm)}
	}
	opts := crypto.SignerOpts(hash)
	if strings.Contains(request.SigningAlgorithm, "PSS") {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
	}
	sig, err := k.key.Sign(rand.Reader, request.Message, opts)
	if err != nil {
		return nil, &awsError{"KMSInternalException", err.Error()}
	}
	return map[string]any{"KeyId": arn, "Signature": sig, "SigningAlgorithm": request.SigningAlgorithm}, nil
}

// serveSTS exchanges the token of a CI job for credentials: AssumeRoleWithWebIdentity.
func (a *AWS) serveSTS(w http.ResponseWriter, r *http.Request) {
	if a.spoiled(w, r, "AssumeRoleWithWebIdentity") {
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	if r.FormValue("Action") != "AssumeRoleWithWebIdentity" || r.FormValue("WebIdentityToken") != AWSWebToken || r.FormValue("RoleArn") != AWSRole {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprint(w, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>InvalidIdentityToken</Code><Message>Couldn't retrieve verification key from your identity provider</Message></Error></ErrorResponse>`)
		return
	}
	_, _ = fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey><SessionToken>%s</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials><AssumedRoleUser><Arn>%s</Arn><AssumedRoleId>A:b</AssumedRoleId></AssumedRoleUser></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
		AWSAccessKey, AWSSecret, AWSSession, AWSRole)
}
