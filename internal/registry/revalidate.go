package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/opencontainers/go-digest"
)

// revalidator asks for a manifest by its tag only if the tag names something else than last time (RFC 9110, 13.1.2; the
// entity tag of a manifest is its digest). The registry then neither reads nor sends what is known already. It answers
// for what the tag names now, as ever; what is remembered are bytes under their digest. Registries that know no
// conditions answer in full.
type revalidator struct {
	next  http.RoundTripper
	cache *Cache
}

// RoundTrip expects answers whose bodies are in memory.
func (v *revalidator) RoundTrip(req *http.Request) (*http.Response, error) {
	at := place(req)
	if v.cache == nil || req.Method != http.MethodGet || at.kind != manifestsKind || digest.Digest(at.ref).Validate() == nil {
		return v.next.RoundTrip(req)
	}
	file := v.cache.tagFile(req)
	known := v.cache.tagged(file)
	if known != nil {
		req = req.Clone(req.Context())
		req.Header.Set("If-None-Match", `"`+digest.FromBytes(known).String()+`"`)
	}
	resp, err := v.next.RoundTrip(req)
	switch {
	case err != nil:
	case resp.StatusCode == http.StatusNotModified && known != nil:
		v.cache.hits.Add(1)
		unchanged(resp, known)
	case resp.StatusCode == http.StatusOK:
		if body, ok := resp.Body.(memory); ok && stated(resp.Header, body.content) {
			v.cache.write(file, body.content)
		}
	}
	return resp, err
}

// unchanged makes the answer that the registry would have sent in full.
func unchanged(resp *http.Response, content []byte) {
	resp.StatusCode, resp.Status = http.StatusOK, "200 OK"
	resp.Header.Set("Content-Type", mediaTypeOf(content))
	resp.Header.Set("Docker-Content-Digest", digest.FromBytes(content).String())
	resp.Header.Set("Content-Length", fmt.Sprint(len(content)))
	resp.ContentLength, resp.Body = int64(len(content)), newMemory(content)
}

// stated reports whether an answer is what its header says it is, so that the header can be made again of the answer.
func stated(h http.Header, content []byte) bool {
	d := h.Get("Docker-Content-Digest")
	return d != "" && digest.FromBytes(content).String() == d && len(content) <= MaxManifest && mediaTypeOf(content) == h.Get("Content-Type")
}

// mediaTypeOf is the media type that a manifest has in it; empty when it has none.
func mediaTypeOf(content []byte) string {
	var m struct {
		MediaType string `json:"mediaType"`
	}
	if json.Unmarshal(content, &m) != nil {
		return ""
	}
	return m.MediaType
}

// tagFile is where the cache keeps what a tag named. Other media types are other answers.
func (c *Cache) tagFile(req *http.Request) string {
	sum := sha256.Sum256([]byte(req.URL.String() + "\n" + strings.Join(req.Header.Values("Accept"), ",")))
	return c.file(hex.EncodeToString(sum[:]) + ".tag")
}

// tagged returns what a tag named; nil when that is not known. Damage is harmless: no tag names such bytes.
func (c *Cache) tagged(file string) []byte {
	b, ok := c.read(file)
	if !ok || mediaTypeOf(b) == "" {
		return nil
	}
	return b
}
