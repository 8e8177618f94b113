package interop_test

import (
	"path/filepath"
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/descriptorpb"

	signerpb "github.com/artifactctl/artifactctl/plugins/signer/rpc/proto"
	"github.com/artifactctl/artifactctl/test/peers"
)

// The generated Go code and signer.proto describe the same wire. Comments do not count.
func TestGeneratedProtoIsCurrent(t *testing.T) {
	dir := filepath.Join(peers.ModuleDir(t), "..", "plugins", "signer", "rpc", "proto")
	compiler := protocompile.Compiler{Resolver: &protocompile.SourceResolver{ImportPaths: []string{dir}}}
	files, err := compiler.Compile(t.Context(), "signer.proto")
	if err != nil {
		t.Fatal(err)
	}
	source := protodesc.ToFileDescriptorProto(files[0])
	generated := protodesc.ToFileDescriptorProto((&signerpb.Open_Request{}).ProtoReflect().Descriptor().ParentFile())
	source.SourceCodeInfo = nil
	ignore := []cmp.Option{
		protocmp.Transform(),
		protocmp.IgnoreFields(&descriptorpb.FileDescriptorProto{}, "name"),       // relative to where protoc ran
		protocmp.IgnoreFields(&descriptorpb.FieldDescriptorProto{}, "json_name"), // the default is implied
	}
	if diff := cmp.Diff(source, generated, ignore...); diff != "" {
		t.Errorf("signer.proto and its generated code differ, run `make generate` (-proto +generated):\n%s", diff)
	}
}
