package changes

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/artifactctl/artifactctl/internal/artifact"
)

func secret(body string) string {
	return "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\n" + body
}

// added is the diff of an object that is added.
func added(t *testing.T, c Comparer, content string) string {
	t.Helper()
	objects := c.Compare(nil, one(content))
	if len(objects) != 1 {
		t.Fatalf("got %d objects, want 1: %v", len(objects), objects)
	}
	return objects[0].Diff
}

var marks = regexp.MustCompile(`\*\*\* \([0-9a-f]{8}\)`)

func TestSecretMarks(t *testing.T) {
	c := New([]byte("run"))
	same := []string{
		secret("data:\n  p: aHVudGVyMg==\n"),
		secret("stringData:\n  p: hunter2\n"),
		secret("stringData:\n  p: \"hunter2\"\n"),
		secret("data:\n  p: |\n    aHVu\n    dGVyMg==\n"),
	}
	want := marks.FindString(added(t, c, same[0]))
	if want == "" {
		t.Fatal("no mark")
	}
	for _, text := range same {
		diff := added(t, c, text)
		if got := marks.FindAllString(diff, -1); len(got) != 1 || got[0] != want {
			t.Errorf("marks of %q: %q, want one %q", text, got, want)
		}
		if !strings.Contains(diff, "p: '*** (") && !strings.Contains(diff, "p: '***") {
			t.Errorf("the key is not shown: %s", diff)
		}
	}
	other := marks.FindString(added(t, c, secret("stringData:\n  p: hunter3\n")))
	if other == want {
		t.Error("other values have the same mark")
	}
	if again := marks.FindString(added(t, New([]byte("next run")), same[0])); again == want {
		t.Error("the mark does not depend on the key")
	}
	for _, keyless := range []Comparer{{}, New(nil)} {
		if diff := added(t, keyless, same[0]); !strings.Contains(diff, "p: '***'\n") {
			t.Errorf("without a key: %s", diff)
		}
	}
}

func TestSecretChange(t *testing.T) {
	c := New([]byte("run"))
	objects := c.Compare(one(secret("data:\n  p: YQ==\n  q: Yg==\n")), one(secret("data:\n  p: Yw==\n  q: Yg==\n")))
	got := marks.ReplaceAllString(summary(objects), "MARK")
	want := "changed v1 Secret - s\n@@ -3,5 +3,5 @@\n metadata:\n   name: s\n data:\n-  p: 'MARK'\n+  p: 'MARK'\n   q: 'MARK'\n"
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	encoding := c.Compare(one(secret("data:\n  p: YQ==\n")), one(secret("data:\n  p: |\n    YQ==\n")))
	if got := summary(encoding); !strings.Contains(got, "… not shown: the difference is in what is masked, or in how it is encoded") {
		t.Errorf("another encoding of the same value: %s", got)
	}
}

// Each text hides the word in a place where a Secret may keep it.
func TestSecretNeverShown(t *testing.T) {
	const word = "correct-horse"
	encoded := base64.StdEncoding.EncodeToString([]byte(word))
	broken := "  bad: [\n"
	texts := map[string]string{
		"data":                       secret("data:\n  p: " + encoded + "\n"),
		"data, no base64":            secret("data:\n  p: " + word + "\n"),
		"data before kind":           "apiVersion: v1\ndata:\n  p: " + encoded + "\nkind: Secret\nmetadata:\n  name: s\n",
		"stringData":                 secret("stringData:\n  p: " + word + "\n"),
		"binary tag":                 secret("stringData:\n  p: !!binary " + encoded + "\n"),
		"block":                      secret("stringData:\n  p: |\n    first\n    " + word + "\n"),
		"nested value":               secret("stringData:\n  p: {a: [" + word + "]}\n"),
		"data is a string":           secret("data: " + word + "\n"),
		"data is a list":             secret("data: [" + word + "]\n"),
		"repeated data":              secret("data: {a: " + word + "}\ndata: {b: " + word + "}\n"),
		"repeated kind":              "kind: Secret\n" + configMap + "stringData: {p: " + word + "}\n",
		"unknown field":              secret("bytes:\n  p: " + word + "\n"),
		"inline merge":               secret("<<: {data: {p: " + word + "}}\n"),
		"merge in data":              secret("data:\n  <<: {p: " + word + "}\n"),
		"alias":                      "apiVersion: v1\nmetadata:\n  name: s\n  annotations: &a\n    p: " + word + "\nkind: Secret\nstringData: *a\n",
		"alias in a list":            "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: A, metadata: {name: a}, x: &x {p: " + word + "}}\n- {apiVersion: v1, kind: Secret, metadata: {name: s}, data: *x}\n",
		"comments":                   "# " + word + "\n" + secret("# "+word+"\ndata: # "+word+"\n  p: YQ== # "+word+"\n  # "+word+"\n"),
		"last applied":               "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\n  annotations:\n    " + lastApplied + ": |\n      {\"stringData\":{\"p\":\"" + word + "\"}}\n",
		"list":                       "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Secret\n  metadata: {name: s}\n  stringData: {p: " + word + "}\n",
		"list of lists":              "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: List\n  items: [{kind: Secret, metadata: {name: s}, stringData: {p: " + word + "}}]\n",
		"typed list":                 "apiVersion: v1\nkind: SecretList\nitems:\n- metadata: {name: s}\n  stringData: {p: " + word + "}\n",
		"list that is none":          "apiVersion: v1\nkind: SecretList\nitems:\n- metadata: {name: s}\n  stringData: {p: " + word + "}\n- 1\n",
		"items is a map":             "apiVersion: v1\nkind: SecretList\nitems:\n  metadata: {name: s}\n  stringData: {p: " + word + "}\n",
		"no apiVersion":              "kind: Secret\nmetadata: {name: s}\nstringData: {p: " + word + "}\n",
		"no name":                    "apiVersion: v1\nkind: Secret\nstringData: {p: " + word + "}\n",
		"encoded kind":               "apiVersion: v1\nkind: !!binary U2VjcmV0\nmetadata: {name: s}\nstringData: {p: " + word + "}\n",
		"escaped kind":               "apiVersion: v1\nkind: \"\\x53ecret\"\nmetadata: {name: s}\nstringData: {p: " + word + "}\n",
		"JSON":                       `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"stringData":{"p":"` + word + `"}}`,
		"template":                   "apiVersion: x.io/v1\nkind: Template\nmetadata: {name: t}\nobjects:\n- kind: Secret\n  stringData: {p: " + word + "}\n",
		"template with merge":        "apiVersion: x.io/v1\nkind: Template\nmetadata: {name: t}\nobjects:\n- kind: Secret\n  <<: {data: {p: " + word + "}}\n",
		"manifest in a ConfigMap":    configMap + "  m: |\n    kind: Secret\n    stringData:\n      p: " + word + "\n",
		"secretGenerator":            "kind: Kustomization\nsecretGenerator:\n- name: a\n  literals:\n  - p=" + word + "\n",
		"secretGenerator, no kind":   "secretGenerator:\n- literals:\n  - 'p=\"" + word + "\"'\n",
		"secretGenerator, wrong":     "secretGenerator:\n  literals: p=" + word + "\n",
		"literals, wrong":            "secretGenerator:\n- literals: p=" + word + "\n- " + word + "\n",
		"broken":                     secret("stringData:\n  p: " + word + "\n" + broken),
		"broken, data first":         "stringData:\n  p: " + word + "\nkind: Secret\n" + broken,
		"rest of a cut Secret":       secret("stringData:\n  p: |\n") + "---\n" + word + "\n",
		"commented out":              "#kind: Secret\n#data: " + word + "\n" + "a: b\n",
		"carriage returns":           strings.ReplaceAll(configMap+"---\n"+secret("stringData: {p: "+word+"}\n"), "\n", "\r"),
		"other line breaks":          strings.ReplaceAll(configMap+"---\n"+secret("stringData: {p: "+word+"}\n"), "\n", "\u0085"),
		"large":                      secret("stringData:\n  p: " + word + "\nx: " + strings.Repeat("y", largeObject) + "\n"),
		"huge":                       secret("stringData:\n  p: " + word + "\nx:\n" + strings.Repeat("- yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\n", maxParsed/40)),
		"large, escaped kind":        "apiVersion: v1\nkind: \"\\x53ecret\"\nstringData:\n  p: " + word + "\nx: " + strings.Repeat("y", largeObject) + "\n",
		"large, secret further down": "apiVersion: v1\nkind: T\nmetadata:\n  name: x\nobjects:\n- kind: &a\n    Secret\n  data:\n    p: " + word + "\nx: " + strings.Repeat("y", largeObject) + "\n",
		"large list":                 "apiVersion: v1\nkind: List\nitems:\n- kind: Secret\n  apiVersion: v1\n  metadata: {name: s}\n  data:\n    p: " + word + "\n    x: " + strings.Repeat("y", largeObject) + "\n",
	}
	c := New([]byte("run"))
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			files := []string{"manifests.yaml", "a.json", "secret.txt"}
			if len(text) > largeObject {
				files = files[:1]
			}
			for _, file := range files {
				with := artifact.Files{file: []byte(text)}
				without := artifact.Files{file: []byte(strings.NewReplacer(word, "other", encoded, "b3RoZXI=").Replace(text))}
				for _, got := range [][]Object{c.Compare(nil, with), c.Compare(with, nil), c.Compare(without, with), c.Compare(with, without)} {
					if len(got) == 0 {
						t.Errorf("%s: no difference", file)
					}
					if all := summary(got); strings.Contains(all, word) || strings.Contains(all, encoded) {
						if file == "secret.txt" && !secretText.MatchString(text) {
							continue // a text file that does not look like a Secret
						}
						t.Errorf("%s: the secret is shown:\n%.2000s", file, all)
					}
				}
			}
		})
	}
}

func TestGeneratorInputsNeverShown(t *testing.T) {
	kustomization := "secretGenerator:\n- name: a\n  envs: [env/a.env]\n  files: [key=../keys/b.pem, c.txt]\n- name: b\n  env: d.env\n"
	files := func(value string) artifact.Files {
		f := artifact.Files{"app/kustomization.yaml": []byte(kustomization), "app/shown.txt": []byte(value)}
		for _, p := range []string{"app/env/a.env", "keys/b.pem", "app/c.txt", "app/d.env"} {
			f[p] = []byte("P=" + value + "\n")
		}
		return f
	}
	got := summary(New([]byte("run")).Compare(files("hunter1"), files("hunter2")))
	if strings.Contains(got, "P=hunter") || strings.Count(got, "… not shown: a secretGenerator reads this file") != 4 || !strings.Contains(got, "+hunter2") {
		t.Errorf("got:\n%s", got)
	}
}

func TestNoSecretStaysReadable(t *testing.T) {
	for _, text := range []string{
		"apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata:\n  name: s\nspec:\n  encryptedData:\n    p: shown\n",
		"apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: s\nspec:\n  valuesFrom:\n  - kind: Secret\n    name: shown\n",
		configMap + "  p: shown\n",
	} {
		if diff := added(t, New([]byte("run")), text); !strings.Contains(diff, "shown") {
			t.Errorf("not readable: %s", diff)
		}
	}
}

// Random secret values, in random places of random manifests, never show.
func TestRandomSecretsNeverShown(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	c := New([]byte("run"))
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_:#{}[]&*!|>'\"%@` \n\t/\\"
	random := func() string {
		b := make([]byte, 12+rnd.IntN(40))
		for i := range b {
			b[i] = letters[rnd.IntN(len(letters))]
		}
		return string(b)
	}
	for range 300 {
		var values []string
		manifest := func() artifact.Files {
			var out strings.Builder
			for i := range 1 + rnd.IntN(4) {
				v := random()
				values = append(values, v)
				switch rnd.IntN(4) {
				case 0:
					fmt.Fprintf(&out, "apiVersion: v1\nkind: Secret\nmetadata: {name: s%d}\nstringData:\n  p: %q\n---\n", i, v)
				case 1:
					fmt.Fprintf(&out, "apiVersion: v1\ndata:\n  p: %s\nkind: Secret\nmetadata: {name: s%d}\n---\n", base64.StdEncoding.EncodeToString([]byte(v)), i)
				case 2: // unquoted: often no YAML at all
					fmt.Fprintf(&out, "apiVersion: v1\nkind: Secret\nmetadata: {name: s%d}\nstringData:\n  p: %s\n---\n", i, v)
				default:
					fmt.Fprintf(&out, "apiVersion: v1\nkind: List\nitems:\n- kind: Secret\n  metadata: {name: s%d}\n  stringData: {p: %q}\n---\n", i, v)
				}
			}
			return one(out.String())
		}
		got := summary(c.Compare(manifest(), manifest()))
		for _, v := range values {
			for _, form := range []string{v, base64.StdEncoding.EncodeToString([]byte(v)), fmt.Sprintf("%q", v), v[:8]} {
				if strings.Contains(got, form) {
					t.Fatalf("%q is shown in:\n%s", v, got)
				}
			}
		}
	}
}
