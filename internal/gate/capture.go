package gate

import (
	"bytes"
	"sync"
)

// capture keeps the first bytes that are written to it and counts the others. It is safe for concurrent use.
type capture struct {
	keep  int   // bytes
	limit int64 // of all that is written; when it is passed, flood is called, once
	flood func()

	mu    sync.Mutex
	kept  bytes.Buffer
	total int64
}

// Write implements io.Writer. It never fails: a command that prints too much is ended in another way.
func (c *capture) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.total
	c.total += int64(len(p))
	c.kept.Write(p[:max(0, min(len(p), c.keep-c.kept.Len()))])
	if before <= c.limit && c.total > c.limit {
		c.flood()
	}
	return len(p), nil
}

func (c *capture) bytes() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	return bytes.Clone(c.kept.Bytes())
}

// dropped returns how many bytes were not kept.
func (c *capture) dropped() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total - int64(c.kept.Len())
}
