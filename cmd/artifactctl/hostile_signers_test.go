package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
)

// signing is a case that is found when the signer is started, before anything is pushed.
func signing(spoil func(*fleet), want ...string) hostileCase {
	return hostileCase{spoil: spoil, code: 3, want: append([]string{"signers.file"}, want...)}
}

func private(f *fleet, key any) {
	f.t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		f.t.Fatal(err)
	}
	f.write("cosign.key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
}

func hostileKeys() map[string]hostileCase {
	return map[string]hostileCase{
		"missing":        signing(func(f *fleet) { f.remove("cosign.key") }, "cosign.key"),
		"directory":      signing(func(f *fleet) { f.remove("cosign.key"); f.write("cosign.key/x", "") }, "cosign.key"),
		"no PEM":         signing(writing("cosign.key", "hello\n")),
		"public key":     signing(writing("cosign.key", testPublicKey)),
		"truncated":      signing(writing("cosign.key", testKey[:len(testKey)/2])),
		"wrong password": signing(func(f *fleet) { f.environ = append(f.environ, "COSIGN_PASSWORD=hunter2") }, "password"),
		"no password":    signing(replacing("[COSIGN_PASSWORD]", "[]"), "password"),
		"variable unset": signing(replacing("cosign.key", "env://NO_SUCH_KEY"), "NO_SUCH_KEY"),
		"unknown option": signing(replacing("{key:", "{kye:"), "kye"),
		"weak RSA": signing(func(f *fleet) {
			key, err := rsa.GenerateKey(rand.Reader, 1024)
			if err != nil {
				f.t.Skip(err) // the toolchain itself may refuse to make such a key
			}
			private(f, key)
		}, "1024"),
		"small curve": signing(func(f *fleet) {
			key, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
			if err != nil {
				f.t.Fatal(err)
			}
			private(f, key)
		}, "P-224"),
		"key that is not trusted": {spoil: func(f *fleet) {
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				f.t.Fatal(err)
			}
			private(f, key)
		}, code: 3, want: []string{"trust"}},
		"trust missing": {spoil: func(f *fleet) { f.remove("cosign.pub") }, code: 3, want: []string{"cosign.pub"}},
		"trust garbage": {spoil: writing("cosign.pub", "nothing"), code: 3, want: []string{"cosign.pub"}},
		"trust private": {spoil: writing("cosign.pub", testKey), code: 3, want: []string{"cosign.pub"}},
	}
}

// plugin is a case with another executable as the signer, run without a pin.
func plugin(script string, code int, want ...string) hostileCase {
	return hostileCase{
		spoil: func(f *fleet) {
			f.replace("plugin: signer-file", "plugin: signer-file\n    path: "+f.executable("signer-file", script))
		},
		args: []string{"publish", "--allow-unpinned-signer"}, code: code, want: want,
	}
}

func hostilePlugins() map[string]hostileCase {
	cases := map[string]hostileCase{
		"missing":    signing(replacing("plugin: signer-file", "plugin: signer-nothing"), "signer-nothing"),
		"not pinned": plugin("exit 0", 3, "pin"),
		"wrong pin": signing(func(f *fleet) {
			f.replace("plugin: signer-file", "plugin: signer-file\n    path: "+filepath.Join(binaries, "signer-file")+
				"\n    sha256: {linux/amd64: 0000000000000000000000000000000000000000000000000000000000000000}")
		}, "sha256"),
		"not executable": signing(func(f *fleet) {
			path := f.executable("signer-file", "exit 0")
			if err := os.Chmod(path, 0o644); err != nil {
				f.t.Fatal(err)
			}
			f.replace("plugin: signer-file", "plugin: signer-file\n    path: "+path)
		}, "signer-file"),
		"directory":       signing(func(f *fleet) { f.replace("plugin: signer-file", "plugin: signer-file\n    path: "+f.t.TempDir()) }),
		"ends at once":    plugin("exit 7", 1, "signer"),
		"prints rubbish":  plugin("echo hello; sleep 5", 1, "signer"),
		"talks to stderr": plugin("echo cannot load >&2; exit 1", 1, "cannot load"),
		"other protocol":  plugin("echo '1|9|unix|/nowhere|grpc|'; sleep 5", 1, "signer"),
		"no such socket":  plugin("echo '1|1|unix|/nowhere|grpc|'; sleep 5", 1, "signer"),
		"writable by all": signing(func(f *fleet) {
			path := f.executable("signer-file", "exit 0")
			if err := os.Chmod(path, 0o777); err != nil {
				f.t.Fatal(err)
			}
			f.replace("plugin: signer-file", "plugin: signer-file\n    path: "+path)
		}, "signer-file"),
	}
	unpinned := cases["not pinned"]
	unpinned.args = nil
	cases["not pinned"] = unpinned
	return cases
}
