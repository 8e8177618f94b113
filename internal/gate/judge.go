package gate

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/yannh/kubeconform/pkg/resource"
	"github.com/yannh/kubeconform/pkg/validator"

	"github.com/artifactctl/artifactctl/internal/finding"
)

// KubeconformVersion is the version of kubeconform that judges.
const KubeconformVersion = "v0.8.0"

// judges makes one kubeconform validator for each schema. Kubeconform takes a schema that it cannot get, or cannot use,
// for one that is not there; its HTTP client has no limit of time, and its cache keeps whatever a server answered. So it
// gets nothing itself: each validator is given a file with the one schema that schemas has found.
type judges struct {
	scratch string // directory for the files

	mu    sync.Mutex
	known map[string]func() (*judge, error)
}

// judge validates objects against one schema. It is safe for concurrent use.
type judge struct {
	validator validator.Validator
	schema    *jsonschema.Schema // the same schema, to find the places of faults
}

func (j *judges) of(schema []byte, strict bool) (*judge, error) {
	sum := sha256.Sum256(schema)
	name := hex.EncodeToString(sum[:])
	key := fmt.Sprintf("%s %t", name, strict)
	j.mu.Lock()
	known := j.known[key]
	if known == nil {
		known = sync.OnceValues(func() (*judge, error) { return j.make(fmt.Sprintf("%s-%t.json", name, strict), schema, strict) })
		j.known[key] = known
	}
	j.mu.Unlock()
	return known()
}

func (j *judges) make(name string, schema []byte, strict bool) (*judge, error) {
	compiled, err := compile(schema)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(j.scratch, name)
	if err := os.WriteFile(file, schema, 0o600); err != nil {
		return nil, err
	}
	v, err := validator.New([]string{file}, validator.Opts{Strict: strict})
	if err != nil {
		return nil, err
	}
	return &judge{validator: v, schema: compiled}, nil
}

// compile makes a schema usable the way that kubeconform does.
func compile(schema []byte) (*jsonschema.Schema, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft4)
	c.UseLoader(jsonschema.SchemeURLLoader{}) // it stands alone
	// Durations are those of Go in Kubernetes; kubeconform knows, and its word counts.
	c.RegisterFormat(&jsonschema.Format{Name: "duration", Validate: func(any) error { return nil }})
	if err := c.AddResource("schema.json", document); err != nil {
		return nil, unusable(err)
	}
	compiled, err := c.Compile("schema.json")
	if err != nil {
		return nil, unusable(err)
	}
	return compiled, nil
}

func unusable(err error) error {
	return fmt.Errorf("not a usable schema: %s", finding.Clean(err.Error()))
}

// validate asks kubeconform. A panic is an error: schemas come from anywhere.
func (j *judge) validate(r resource.Resource) (result validator.Result, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("kubeconform gave up: %v", p)
		}
	}()
	result = j.validator.ValidateResource(r)
	if result.Err == nil && result.Status != validator.Valid && result.Status != validator.Empty {
		return result, errors.New("kubeconform gave no answer")
	}
	return result, nil
}
