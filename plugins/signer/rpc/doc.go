// Package rpc carries package signer's contract between two processes: Serve is the plugin's side, Start the host's, Find
// and List tell the host where plugins are. It knows go-plugin and gRPC, so that neither the host nor the author of a
// plugin has to. It does not decide which signer is used, checks no signature, and keeps no secret.
package rpc

//go:generate protoc -Iartifactctl/signer/v1=proto --go_out=. --go_opt=module=github.com/artifactctl/artifactctl/plugins/signer/rpc --go-grpc_out=. --go-grpc_opt=module=github.com/artifactctl/artifactctl/plugins/signer/rpc artifactctl/signer/v1/signer.proto
