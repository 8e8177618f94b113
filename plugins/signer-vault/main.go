// Command signer-vault is the signer plugin for keys in the transit engine of HashiCorp Vault or OpenBao. The key never
// leaves the server: the plugin sends digests and gets signatures. It makes no keys, rotates none and stores nothing.
package main

import (
	"os"

	"github.com/artifactctl/artifactctl/plugins/signer/rpc"
)

func main() {
	os.Exit(rpc.Serve(rpc.ServeOptions{Name: "signer-vault", Signer: &vaultSigner{}}))
}
