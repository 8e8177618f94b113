package worker

import (
	"context"
	"runtime/metrics"
	"time"
)

// The two figures whose difference is what the process holds: all that the runtime mapped, less what it gave back.
const (
	metricMapped   = "/memory/classes/total:bytes"
	metricReturned = "/memory/classes/heap/released:bytes"
)

// watchMemory sends limit to exhausted when the process holds more. A YAML document of some hundred bytes can ask for
// gigabytes, at about one gigabyte a second; the garbage collector's soft limit would only slow it down.
func watchMemory(ctx context.Context, limit int64, exhausted chan<- int64) {
	samples := []metrics.Sample{{Name: metricMapped}, {Name: metricReturned}}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		metrics.Read(samples)
		if held := samples[0].Value.Uint64() - samples[1].Value.Uint64(); held > uint64(limit) {
			exhausted <- limit
			return
		}
	}
}
