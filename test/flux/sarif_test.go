package flux

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/artifactctl/artifactctl/internal/flux/audit"
	"github.com/artifactctl/artifactctl/internal/flux/manifest"
)

// The SARIF of the fixture fleet, accepted findings among it, is valid by the schema of OASIS.
func TestSARIFIsValid(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(gosec.dir(t), "report", "sarif", "testdata", "sarif-schema-2.1.0.json"))
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("sarif.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("sarif.json")
	if err != nil {
		t.Fatal(err)
	}
	files, err := manifest.ReadTree("../../internal/flux/audit/testdata/fleet")
	if err != nil {
		t.Fatal(err)
	}
	r := audit.Run(files, audit.Options{})
	b := audit.Baseline{Version: "v1", Exceptions: []audit.Exception{{Rule: "unverified-git", Object: "*/*/*", Reason: "deploy keys"}}}
	b.Apply(r, time.Now())
	if len(r.Accepted) == 0 || len(r.Findings) == 0 {
		t.Fatalf("%d accepted, %d findings", len(r.Accepted), len(r.Findings))
	}
	for name, report := range map[string]*audit.Report{"fleet": r, "nothing": audit.Run(nil, audit.Options{})} {
		encoded, err := json.Marshal(report.SARIF("1.2.3"))
		if err != nil {
			t.Fatal(err)
		}
		log, err := jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(log); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
