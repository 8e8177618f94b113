package gate

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"text/template"
)

// defaultSite is where kubeconform looks for schemas when it is told nothing, and standardLayout how that site, and each
// place that is given as a mere directory, names them (kubeconform, pkg/registry/registry.go).
const (
	defaultSite    = "https://raw.githubusercontent.com/yannh/kubernetes-json-schema/master"
	standardLayout = "/{{ .NormalizedKubernetesVersion }}-standalone{{ .StrictSuffix }}/{{ .ResourceKind }}{{ .KindSuffix }}.json"
)

// location is a place where schemas are looked for.
type location struct {
	remote   bool
	template *template.Template
}

// variables are what a location's template can use; the names are kubeconform's.
type variables struct {
	NormalizedKubernetesVersion string
	StrictSuffix                string
	ResourceKind                string
	ResourceAPIVersion          string
	Group                       string
	KindSuffix                  string
}

// newLocation parses a location.
func newLocation(text string) (location, error) {
	given := text
	if text == "" {
		return location{}, errors.New("a schema location is empty")
	}
	if text == "default" {
		text = defaultSite
	}
	if !strings.HasSuffix(text, "json") {
		text = strings.TrimSuffix(text, "/") + standardLayout
	}
	remote := strings.HasPrefix(text, "https://") || strings.HasPrefix(text, "http://")
	if !remote && strings.Contains(text, "://") {
		return location{}, fmt.Errorf("schema location %q: only https, http and paths are known", given)
	}
	t, err := template.New("schemas").Parse(text)
	if err == nil {
		err = t.Execute(io.Discard, variables{})
	}
	if err != nil {
		return location{}, fmt.Errorf("schema location %q: %w", given, err)
	}
	return location{remote: remote, template: t}, nil
}

// name returns the URL or path of the schema of a kind.
func (l location) name(apiVersion, kind, kubernetesVersion string, strict bool) (string, error) {
	group, version, named := strings.Cut(apiVersion, "/")
	v := variables{
		NormalizedKubernetesVersion: kubernetesVersion, ResourceKind: strings.ToLower(kind), Group: group, ResourceAPIVersion: group,
	}
	if kubernetesVersion != "master" {
		v.NormalizedKubernetesVersion = "v" + kubernetesVersion
	}
	if strict {
		v.StrictSuffix = "-strict"
	}
	firstLabel, _, _ := strings.Cut(group, ".")
	v.KindSuffix = "-" + strings.ToLower(firstLabel)
	if named {
		v.ResourceAPIVersion = version
		v.KindSuffix += "-" + strings.ToLower(version)
	}
	var b strings.Builder
	if err := l.template.Execute(&b, v); err != nil {
		return "", fmt.Errorf("name the schema of %s %s: %w", apiVersion, kind, err)
	}
	return b.String(), nil
}

// The forms that may become part of a URL or a path: nothing in them leads elsewhere.
var (
	apiVersionForm = regexp.MustCompile(`^(?:[A-Za-z0-9](?:[-A-Za-z0-9]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[-A-Za-z0-9]*[A-Za-z0-9])?)*/)?[A-Za-z0-9]+$`)
	kindForm       = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]*$`)
	versionForm    = regexp.MustCompile(`^(?:master|\d+\.\d+\.\d+)$`)
)
