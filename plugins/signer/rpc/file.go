package rpc

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// usable resolves the symbolic links of an executable's path and says why the file may not be run, if so. What it
// returns is what is hashed and what is run.
func usable(path string) (string, error) {
	if !filepath.IsAbs(path) {
		return "", &setupError{text: fmt.Sprintf("the path of plugin %q is not absolute", path), hint: "plugins are never looked for in the working directory or PATH"}
	}
	resolved, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", &setupError{text: fmt.Sprintf("plugin %s does not exist", path), hint: "\"artifactctl plugins\" lists the plugins that are found"}
	}
	if err != nil {
		return "", &setupError{text: "find plugin", hint: "check the permissions of its directory", err: err}
	}
	info, err := os.Stat(resolved)
	if err != nil {
		return "", &setupError{text: "find plugin", hint: "check the permissions of its directory", err: err}
	}
	switch {
	case info.IsDir():
		return "", &setupError{text: fmt.Sprintf("plugin %s is a directory", path), hint: "name the executable in it"}
	case !info.Mode().IsRegular():
		return "", &setupError{text: fmt.Sprintf("plugin %s is no regular file", path), hint: "a plugin is an executable file"}
	case runtime.GOOS == "windows":
		return resolved, nil // no permission bits
	case info.Mode().Perm()&0o111 == 0:
		return "", &setupError{text: fmt.Sprintf("plugin %s is not executable", path), hint: "chmod +x " + resolved}
	case info.Mode().Perm()&0o002 != 0:
		return "", &setupError{text: fmt.Sprintf("plugin %s can be changed by every user of this machine", path), hint: "chmod o-w " + resolved}
	}
	parent := filepath.Dir(resolved)
	if info, err = os.Stat(parent); err == nil && info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return "", &setupError{text: fmt.Sprintf("plugin %s can be replaced by every user of this machine", path), hint: "chmod o-w " + parent}
	}
	return resolved, nil
}

// checksum is the SHA-256 of a file in hex.
func checksum(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
