// Command signer-kms is the signer plugin for keys in a key management service: AWS KMS, Google Cloud KMS, Azure Key
// Vault, Vault's or OpenBao's transit engine, and whatever a sigstore-kms-* program reaches. It speaks to them through
// sigstore's drivers, as cosign does. The key never leaves the service; the plugin makes no keys and rotates none.
package main

import (
	"os"

	"github.com/artifactctl/artifactctl/plugins/signer/rpc"
)

func main() {
	os.Exit(rpc.Serve(rpc.ServeOptions{Name: "signer-kms", Signer: newKMSSigner()}))
}
