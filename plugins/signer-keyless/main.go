// Command signer-keyless is the signer plugin for identities: it proves who runs it with an OIDC token, gets one
// short-lived certificate for the whole run from Fulcio, and logs and timestamps each signature. It keeps no key after
// the run and writes nothing anywhere.
package main

import (
	"os"

	"github.com/artifactctl/artifactctl/plugins/signer/rpc"
)

func main() {
	os.Exit(rpc.Serve(rpc.ServeOptions{Name: "signer-keyless", Signer: newKeylessSigner()}))
}
