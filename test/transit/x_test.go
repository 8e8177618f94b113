package transit
import (
	_ "github.com/artifactctl/artifactctl/test/oracle"
	_ "github.com/artifactctl/artifactctl/test/peers"
	_ "github.com/artifactctl/artifactctl/test/fixture"
	_ "github.com/artifactctl/artifactctl/plugins/signer/rpc"
	_ "github.com/artifactctl/artifactctl/plugins/signer/signertest"
)
