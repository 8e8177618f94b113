package render

import "os"

// baseEnv returns the environment of a worker of kind k: variables of this process by name, where they are set. None of
// them holds a secret by habit; a proxy's password is the exception that remote bases cannot do without. Without
// network there is no PATH: kustomize would find git there, and git needs no more than that to leave the machine. Helm
// is run by its absolute path.
func baseEnv(k kind) []string {
	env := pass(nil, "SystemRoot") // without it, no Windows process starts
	if k.helm || k.network {
		env = pass(env, "HOME", "USER", "LOGNAME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "DOCKER_CONFIG",
			"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
			"SSL_CERT_FILE", "SSL_CERT_DIR")
	}
	if k.network {
		env = pass(env, "PATH", "SSH_AUTH_SOCK", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO")
		env = append(env, "GIT_TERMINAL_PROMPT=0") // an error is better than a question that nobody sees
		if os.Getenv("GIT_SSH_COMMAND") == "" && os.Getenv("GIT_SSH") == "" {
			env = append(env, "GIT_SSH_COMMAND=ssh -o BatchMode=yes")
		}
	}
	return env
}

func pass(env []string, names ...string) []string {
	for _, name := range names {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}
