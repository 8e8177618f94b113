package main_test

// typed is a case of a command line that is refused before anything is done.
func typed(want []string, args ...string) hostileCase {
	return hostileCase{spoil: func(*fleet) {}, args: args, code: 3, want: want}
}

// gated is a case of publish.yaml with gates.
func gated(gates string, code int, want []string, args ...string) hostileCase {
	return hostileCase{spoil: replacing("signer: file\n", "signer: file\ngates: "+gates+"\n"), args: args, code: code, want: want}
}

func hostileCommands() map[string]hostileCase {
	const reference = "oci://registry.example.com/org/web:edge"
	return map[string]hostileCase{
		"gate without gates":          typed([]string{"publish.yaml has no gate"}, "gate"),
		"gate that checks nothing":    gated("[{}]", 3, []string{"publish.yaml:6:", "gates[0]: the gate checks nothing"}, "gate"),
		"gate with an open quote":     gated(`[{run: "cat 'x"}]`, 3, []string{"publish.yaml:6:", "gates[0].run", "has no end"}, "gate"),
		"gate of no program":          gated("[{run: ./gone}]", 1, []string{"web", "gone", "broken"}, "publish"),
		"gate with schemas elsewhere": gated("[{kubeconform: {schemas: [gone]}}]", 1, []string{"publish.yaml:6:", "gates[0].kubeconform.schemas[0]: there is no gone"}, "gate"),
		"gate with inputs elsewhere": gated("[{run: [sh, -c, exit 1], inputs: [gone]}]", 1, []string{"publish.yaml:6:", "gates[0].inputs[0]: there is no gone"},
			"gate"),
		"findings in no format":    typed([]string{"--findings", "html=x"}, "publish", "--findings", "html=x"),
		"findings in no directory": typed([]string{"--findings", "no directory gone"}, "publish", "--findings", "junit=gone/x.xml"),
		"findings in a directory":  typed([]string{"--findings", "apps is a directory"}, "publish", "--findings", "sarif=apps"),

		"audit of nothing":        typed([]string{"gone"}, "audit", "gone"),
		"audit of no export":      typed([]string{"standard input is empty"}, "audit", "-"),
		"audit without baseline":  typed([]string{"--baseline", "gone.yaml"}, "audit", "apps", "--baseline", "gone.yaml"),
		"audit with a bad one":    {spoil: writing("b.yaml", "exceptions: 3\n"), args: []string{"audit", "apps", "--baseline", "b.yaml"}, code: 3, want: []string{"b.yaml:1: "}},
		"audit of no severity":    typed([]string{"--fail-on", "loud"}, "audit", "--fail-on", "loud"),
		"generate two things":     typed([]string{"--tag", "--branch"}, "generate", "flux", "--tag", "a", "--branch", "b"),
		"generate without a tag":  typed([]string{"publish.yaml: tags.rolling", `"gone"`}, "generate", "flux", "--branch", "gone"),
		"generate no range":       typed([]string{`"one" is not a range`}, "generate", "flux", "--tag-semver", "one", "--set", "tags.release={version}"),
		"generate no bootstrap":   typed([]string{"--bootstrap", `"gone"`}, "generate", "flux", "--tag", "a", "--bootstrap", "gone"),
		"generate no name":        typed([]string{`namespace "UP"`}, "generate", "flux", "--tag", "a", "--namespace", "UP"),
		"generate over a file":    {spoil: writing("out/apps/web.yaml", "mine\n"), args: []string{"generate", "flux", "--tag", "a", "--out", "out"}, code: 3, want: []string{"out/apps/web.yaml was not generated"}},
		"verify no reference":     typed([]string{`"web"`, "oci://"}, "verify", "web"),
		"verify by nobody":        typed([]string{reference, "whose signatures"}, "verify", reference),
		"verify by no file":       typed([]string{"--key", "gone.pub"}, "verify", reference, "--key", "gone.pub"),
		"verify by a private key": typed([]string{"--key", "cosign.key", "PUBLIC KEY"}, "verify", reference, "--key", "cosign.key"),
		"verify by no variable":   typed([]string{"--key", "GONE"}, "verify", reference, "--key", "env://GONE"),
		"verify by half of one":   typed([]string{"one subject and one issuer"}, "verify", reference, "--certificate-identity", "me"),
		"promote to itself":       typed([]string{"the same registry"}, "promote"),
		"promote to no pins":      typed([]string{"--write-pins", "gone"}, "promote", "--from-registry", "oci-layout:from", "--write-pins", "gone"),
		"promote beside pins": typed([]string{"--write-pins", "no OCIRepository names", "nothing was promoted"},
			"promote", "--from-registry", "oci-layout:from", "--write-pins", "apps"),
		"provenance beside legacy": {spoil: replacing("signer: file\n", "signer: file\nprovenance: true\nsignature: {format: legacy}\n"), code: 3,
			want: []string{"publish.yaml:6:", "provenance", "bundle"}},
		"provenance by nobody": {spoil: replacing("signer: file\n", "signer: file\nprovenance: true\n"), args: []string{"publish", "--builder-id", "me"}, code: 3,
			want: []string{"--builder-id", `"me" is not a URI`}},
	}
}
