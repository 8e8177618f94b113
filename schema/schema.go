// Package schema holds the JSON Schemas of what artifactctl reads and writes. They are generated from the Go types by
// schema/generate, and embedded here. It does not validate: editors and other tools do, and for publish.yaml the loader
// of package config, which knows more than a schema can say.
package schema

import _ "embed"

var (
	//go:embed publish.v1.schema.json
	publish string
	//go:embed report.v1.schema.json
	report string
	//go:embed verification.v1.schema.json
	verification string
	//go:embed status.v1.schema.json
	status string
	//go:embed gates.v1.schema.json
	gates string
	//go:embed promotion.v1.schema.json
	promotion string
	//go:embed pruning.v1.schema.json
	pruning string
	//go:embed generation.v1.schema.json
	generation string
	//go:embed audit.v1.schema.json
	audit string
)

// Publish returns the JSON Schema (draft 2020-12) of publish.yaml. The caller may change the bytes.
func Publish() []byte { return []byte(publish) }

// Report returns the JSON Schema of what plan and publish print with -o json. The caller may change the bytes.
func Report() []byte { return []byte(report) }

// Verification returns the JSON Schema of what verify prints with -o json. The caller may change the bytes.
func Verification() []byte { return []byte(verification) }

// Status returns the JSON Schema of what status prints with -o json. The caller may change the bytes.
func Status() []byte { return []byte(status) }

// Gates returns the JSON Schema of what gate prints with -o json. The caller may change the bytes.
func Gates() []byte { return []byte(gates) }

// Promotion returns the JSON Schema of what promote prints with -o json. The caller may change the bytes.
func Promotion() []byte { return []byte(promotion) }

// Pruning returns the JSON Schema of what prune prints with -o json. The caller may change the bytes.
func Pruning() []byte { return []byte(pruning) }

// Generation returns the JSON Schema of what generate prints with -o json. The caller may change the bytes.
func Generation() []byte { return []byte(generation) }

// Audit returns the JSON Schema of what audit prints with -o json. The caller may change the bytes.
func Audit() []byte { return []byte(audit) }
