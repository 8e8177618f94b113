package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/vault/api"
)

// helperFile is where `vault login` and `bao login` leave a token, in the home directory.
const helperFile = ".vault-token"

// findToken looks for a token that somebody else got: where an option says, in the variable, in the file that a variable
// names, and where `vault login` leaves it, in this order. None at all is fine here: an agent may add its own.
//
// Such a token belongs to whoever got it. It is neither renewed, which could keep it alive longer than its owner means
// it to live, nor revoked: the next command may need it.
func findToken(o options) (token string, warnings []string, err error) {
	switch {
	case o.auth.token.file != "":
		return readToken("option \"auth.token\"", o.auth.token.file)
	case o.auth.token.env != "":
		token, err = o.auth.token.read()
		return token, nil, err
	case o.tokenFile != "":
		return readToken("option \"tokenFile\"", o.tokenFile)
	}
	if token := strings.TrimSpace(os.Getenv(api.EnvVaultToken)); token != "" {
		return token, nil, nil
	}
	if path := os.Getenv(tokenFileVariable); path != "" {
		return readToken("variable "+tokenFileVariable, path)
	}
	return readHelperFile()
}

// readHelperFile is for a person at a keyboard. Nothing there is no error: the file outlives the logins it is from.
func readHelperFile() (token string, warnings []string, err error) {
	home, err := os.UserHomeDir()
	if err != nil { // HOME is not let through
		return "", nil, nil //nolint:nilerr // then this is no place to look at
	}
	path := filepath.Join(home, helperFile)
	if info, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) || err == nil && info.Size() == 0 {
		return "", nil, nil
	}
	return readToken("~/"+helperFile, path)
}

func readToken(where, path string) (token string, warnings []string, err error) {
	token, err = readSecret(where, "token", path)
	if err != nil {
		return "", nil, err
	}
	return token, exposed(where, "token", path), nil
}
