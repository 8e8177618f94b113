// Command sigstore-kms-sealed is a program as sigstore's protocol for key management services wants it, on sigstore's
// own library. Its "service" is a directory with a private key, which the variable SEALED_DIR names; a key's URI is
// sealed://FILE. It exists for tests.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature/kms/cliplugin/handler"
	"github.com/sigstore/sigstore/pkg/signature/kms/fake"
)

func main() {
	if err := run(); err != nil {
		_ = handler.WriteErrorResponse(os.Stdout, err) // nobody else is there to be told
		os.Exit(1)
	}
}

func run() error {
	args, err := handler.GetPluginArgs(os.Args)
	if err != nil {
		return err
	}
	switch args.InitOptions.KeyResourceID {
	case "garbage":
		fmt.Println("no JSON at all")
		return nil
	case "hang":
		time.Sleep(time.Hour)
	case "crash":
		panic("as asked")
	}
	text, err := os.ReadFile(filepath.Join(os.Getenv("SEALED_DIR"), filepath.Base(args.InitOptions.KeyResourceID)))
	if err != nil {
		return fmt.Errorf("open the seal with %s: no such key", os.Getenv("SEALED_PASSWORD"))
	}
	key, err := cryptoutils.UnmarshalPEMToPrivateKey(text, cryptoutils.SkipPassword)
	if err != nil {
		return err
	}
	ctx := context.WithValue(context.Background(), fake.KmsCtxKey{}, key)
	service, err := fake.LoadSignerVerifier(ctx, args.InitOptions.HashFunc)
	if err != nil {
		return err
	}
	_, err = handler.Dispatch(os.Stdout, os.Stdin, args, service)
	return err
}
