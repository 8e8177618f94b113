package cluster

import (
	"fmt"
	"net/url"
	"strings"
)

// Ref names an object in the cluster.
type Ref struct{ Kind, Namespace, Name string }

func (r Ref) String() string { return r.Kind + " " + r.Namespace + "/" + r.Name }

// Source names an OCIRepository of Flux.
func Source(namespace, name string) Ref { return Ref{"OCIRepository", namespace, name} }

// Kustomization names a Kustomization of Flux.
func Kustomization(namespace, name string) Ref { return Ref{"Kustomization", namespace, name} }

// ConfigMap names a ConfigMap.
func ConfigMap(namespace, name string) Ref { return Ref{"ConfigMap", namespace, name} }

// path is where the API server has all objects of the kind in the namespace.
func (r Ref) path() string {
	group := map[string]string{
		"ConfigMap": "/api/v1", "Secret": "/api/v1", "ServiceAccount": "/api/v1", "Service": "/api/v1", "Event": "/api/v1",
		"Deployment": "/apis/apps/v1", "PodDisruptionBudget": "/apis/policy/v1",
		"OCIRepository": "/apis/source.toolkit.fluxcd.io/v1", "Kustomization": "/apis/kustomize.toolkit.fluxcd.io/v1",
	}[r.Kind]
	plural := strings.ToLower(r.Kind) + "s"
	if r.Kind == "OCIRepository" {
		plural = "ocirepositories"
	}
	return group + "/namespaces/" + url.PathEscape(r.Namespace) + "/" + plural
}

// Object is what tests read of an object; what a kind does not have is empty.
type Object struct {
	Kind     string
	Metadata struct {
		Name, Namespace, UID string
		Generation           int64
		ResourceVersion      string
		Labels, Annotations  map[string]string
	}
	Data   map[string]string
	Status Status
}

// Status is the status of Flux's objects.
type Status struct {
	ObservedGeneration     int64
	LastHandledReconcileAt string
	Conditions             []Condition
	Artifact               *Artifact // of a source
	LastAppliedRevision    string    // of a Kustomization
}

// Condition is one condition of an object.
type Condition struct {
	Type, Status, Reason, Message string
	ObservedGeneration            int64
}

// Artifact is what a source has fetched, verified and made available.
type Artifact struct {
	Revision string // tag@sha256:…, as the registry names it
	Digest   string
	Metadata map[string]string // the annotations of the manifest
}

// Condition returns the condition of this type; without one, its status is empty.
func (o Object) Condition(kind string) Condition {
	for _, c := range o.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return Condition{Type: kind}
}

// Is reports whether the condition of this type has this status.
func (o Object) Is(kind, status string) bool { return o.Condition(kind).Status == status }

// Revision is the digest ("sha256:…") of the artifact that a source has; empty without one.
func (o Object) Revision() string {
	if o.Status.Artifact == nil {
		return ""
	}
	return digestOf(o.Status.Artifact.Revision)
}

// Applied is the digest ("sha256:…") of the artifact that a Kustomization applied last.
func (o Object) Applied() string { return digestOf(o.Status.LastAppliedRevision) }

// digestOf cuts the tag off a revision ("edge@sha256:…").
func digestOf(revision string) string { return revision[strings.LastIndex(revision, "@")+1:] }

// String tells what the object's conditions say.
func (o Object) String() string {
	text := fmt.Sprintf("%s %s/%s generation %d at %q, applied %q", o.Kind, o.Metadata.Namespace, o.Metadata.Name,
		o.Metadata.Generation, o.Revision(), o.Applied())
	for _, c := range o.Status.Conditions {
		text += fmt.Sprintf("\n\t%s=%s %s: %s", c.Type, c.Status, c.Reason, c.Message)
	}
	return text
}
