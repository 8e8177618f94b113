// Command signer-file is the signer plugin for private keys in files or variables. It reads the key once, keeps it in
// memory, and writes nothing anywhere.
package main

import (
	"os"

	"github.com/artifactctl/artifactctl/plugins/signer/rpc"
)

func main() {
	os.Exit(rpc.Serve(rpc.ServeOptions{Name: "signer-file", Signer: newFileSigner()}))
}
