package registry

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestParseReference(t *testing.T) {
	pinned := "sha256:" + strings.Repeat("0a", 32)
	dir := t.TempDir()
	for text, want := range map[string]Reference{
		"oci://ghcr.io/org/app:1.4.2":                             {Host: "ghcr.io", Repository: "org/app", Ref: "1.4.2"},
		"oci://127.0.0.1:5000/app:edge":                           {Host: "127.0.0.1:5000", Repository: "app", Ref: "edge"},
		"oci://ghcr.io/org/app@" + pinned:                         {Host: "ghcr.io", Repository: "org/app", Ref: pinned},
		"oci://ghcr.io/org/app:edge@" + pinned:                    {Host: "ghcr.io", Repository: "org/app", Ref: pinned},
		"oci-layout:" + filepath.Join(dir, "fleet", "web") + ":v": {Dir: filepath.Join(dir, "fleet"), Repository: "web", Ref: "v"},
		"oci-layout:" + filepath.Join(dir, "web") + "@" + pinned:  {Dir: dir, Repository: "web", Ref: pinned},
	} {
		got, err := ParseReference(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v %v, want %+v", text, got, err, want)
		}
		if again, err := ParseReference(got.String()); err != nil || again != got {
			t.Errorf("%s: it says that it is %s", text, got)
		}
	}
	for text, want := range map[string]string{
		"ghcr.io/org/app:1":              "begins neither with",
		"https://ghcr.io/org/app:1":      "begins neither with",
		"oci://ghcr.io/org/app":          "neither a tag nor a digest",
		"oci://ghcr.io:5000/org/app":     "neither a tag nor a digest",
		"oci://ghcr.io/org/app:":         "is not valid",
		"oci://ghcr.io/org/app@sha256:a": "is no digest",
		"oci://ghcr.io/Org/app:1":        "lower case",
		"oci://ghcr.io:1":                "lower case",
		"oci:///app:1":                   "want a host",
		"oci-layout:Out:1":               "lower-case",
		"":                               "begins neither with",
	} {
		if got, err := ParseReference(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %+v %v, want %q", text, got, err, want)
		}
	}
}
