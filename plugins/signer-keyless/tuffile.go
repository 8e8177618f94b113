package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// tufService names a mirror in messages.
const tufService = "the TUF mirror"

// download gets files from a mirror, with patience. The TUF client verifies them.
type download struct {
	get   func(address string) ([]byte, error)
	roots map[string][]byte // the versions of root.json that were there
}

// newDownload makes the fetcher of one call, bound to its context: the TUF client hands none on.
func newDownload(ctx context.Context, n network) *download {
	return &download{roots: map[string][]byte{}, get: func(address string) ([]byte, error) {
		text, err := n.askText(ctx, question{service: tufService, method: http.MethodGet, url: address})
		var f *failure
		if errors.As(err, &f) && f.status == http.StatusNotFound {
			return nil, missing(address)
		}
		return []byte(text), err
	}}
}

// DownloadFile implements fetcher.Fetcher.
func (d *download) DownloadFile(address string, limit int64, _ time.Duration) ([]byte, error) {
	text, err := d.get(address)
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > limit {
		return nil, &metadata.ErrDownloadLengthMismatch{Msg: fmt.Sprintf("%s has more than %d bytes", address, limit)}
	}
	if name := path.Base(address); strings.HasSuffix(name, ".root.json") {
		d.roots[name] = text
	}
	return text, nil
}

// kept gives the files that were kept as a mirror that never changes.
type kept struct{ dir string }

// DownloadFile implements fetcher.Fetcher. The TUF client keeps all files but versions of root.json without their number.
func (k kept) DownloadFile(address string, _ int64, _ time.Duration) ([]byte, error) {
	name := path.Base(address)
	if _, plain, numbered := strings.Cut(name, "."); numbered && plain != "root.json" && plain != "json" {
		name = plain
	}
	text, err := os.ReadFile(filepath.Join(k.dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, missing(address)
	}
	return text, err
}

// missing is how the TUF client hears that there is no such file, or no newer root.json.
func missing(address string) error {
	return &metadata.ErrDownloadHTTP{StatusCode: http.StatusNotFound, URL: address}
}
