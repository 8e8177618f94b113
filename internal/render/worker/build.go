package worker

import (
	"errors"
	"fmt"

	"sigs.k8s.io/kustomize/api/konfig"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/provenance"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"

	"github.com/artifactctl/artifactctl/internal/render/fault"
	"github.com/artifactctl/artifactctl/internal/render/inputs"
)

// builder runs builds, one after the other, each as if it were the first of its process.
type builder struct {
	setup    Setup
	network  *network
	version  string // openapi.GetSchemaVersion of a process that has built nothing
	pristine bool   // no build since the schema was last reset
}

func newBuilder(setup Setup, n *network) *builder {
	return &builder{setup: setup, network: n, version: openapi.GetSchemaVersion(), pristine: true}
}

// build answers a request. Kustomize keeps its OpenAPI schema in package variables: one that a kustomization brings
// along (openapi:) would change later builds, and it means something else when other schemas were parsed before it
// (fluxcd/pkg#1237, kubernetes-sigs/kustomize#5805). So a build that turns out to have set a schema is repeated in a
// fresh state, which is what the command line has, and the schema is dropped afterwards. Looking at the state and not
// at the text of the files leaves no way around: not by escapes, tags, symbolic links or letter case.
func (b *builder) build(request Request) Response {
	response := b.attempt(request)
	if openapi.GetSchemaVersion() == b.version {
		b.pristine = false
		return response
	}
	if !b.pristine {
		openapi.ResetOpenAPI()
		doubtful := response.Last
		response = b.attempt(request)
		response.Last = response.Last || doubtful
	}
	openapi.ResetOpenAPI()
	b.pristine = true
	return response
}

// attempt runs kustomize once.
func (b *builder) attempt(request Request) Response {
	jail, err := newJail(request.Dir, request.Root, b.setup.Scratch)
	if err != nil {
		return Response{Err: &fault.Error{Reason: fault.Missing, Message: err.Error()}}
	}
	defer jail.Close()
	if b.setup.Helm == "" { // helm is told the names of files
		jail.disguise()
	}
	recorder := newRecorder(jail)
	asked := b.network.asked.Load()
	captured, err := startCapture()
	if err != nil {
		return Response{Err: &fault.Error{Reason: fault.Crash, Message: fmt.Sprintf("capture warnings: %v", err)}}
	}
	t := &trail{questions: recorder, names: map[string]string{}, onRead: captured.mark}
	yaml, err := b.run(t, func() { recorder.lost = true })
	text := captured.stop()

	s := story{setup: b.setup, request: request, jail: jail, trail: t}
	response := Response{YAML: yaml, Warnings: warnings(text, s.words)}
	if err != nil {
		response.Err = s.explain(err)
		response.Last = errors.As(err, new(*panicked))
	} else if request.Record && b.setup.Helm == "" && b.network.asked.Load() == asked {
		response.Inputs = inputs.Encode(recorder.inputs())
	}
	return response
}

// panicked is a panic inside kustomize.
type panicked struct{ value any }

func (p *panicked) Error() string { return fmt.Sprintf("kustomize panicked: %v", p.value) }

// errEmpty is a build without objects.
var errEmpty error = &fault.Error{Reason: fault.Empty, Message: "the build has no objects"}

// run is `kustomize build .`, in the directory that the jail starts from.
func (b *builder) run(t *trail, onClone func()) (yaml []byte, err error) {
	defer func() {
		if value := recover(); value != nil {
			yaml, err = nil, &panicked{value}
		}
	}()
	files := view{questions: t, scratch: b.setup.Scratch, onClone: onClone}
	objects, err := krusty.MakeKustomizer(b.options()).Run(files, ".")
	if err != nil {
		return nil, err
	}
	if objects.Size() == 0 {
		return nil, errEmpty
	}
	if err := setVersion(objects, t.top); err != nil {
		return nil, err
	}
	return objects.AsYaml()
}

// options are those of the command line without flags; MakeDefaultOptions alone orders objects differently.
func (b *builder) options() *krusty.Options {
	o := krusty.MakeDefaultOptions()
	o.Reorder = krusty.ReorderOptionUnspecified
	o.LoadRestrictions = types.LoadRestrictionsRootOnly
	o.AddManagedbyLabel = false
	o.PluginConfig = types.DisabledPluginConfig()
	o.PluginConfig.HelmConfig.Enabled = b.setup.Helm != ""
	o.PluginConfig.HelmConfig.Command = b.setup.Helm
	return o
}

// setVersion puts the version of kustomize into the label that `buildMetadata: [managedByLabel]` asks for. The library
// takes it from the build info of the executable, where it finds our own version or none.
func setVersion(objects resmap.ResMap, top []byte) error {
	label := "kustomize-" + Kustomize
	if label == "kustomize-"+provenance.GetProvenance().Semver() {
		return nil
	}
	var k types.Kustomization
	if err := k.Unmarshal(top); err != nil {
		return err
	}
	for _, option := range k.BuildMetadata {
		if option != types.ManagedByLabelOption {
			continue
		}
		for _, object := range objects.Resources() {
			if err := object.PipeE(kyaml.SetLabel(konfig.ManagedbyLabelKey, label)); err != nil {
				return fmt.Errorf("set label %s: %w", konfig.ManagedbyLabelKey, err)
			}
		}
	}
	return nil
}
