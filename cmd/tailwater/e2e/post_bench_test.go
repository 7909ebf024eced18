package e2e

import (
	"bytes"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
)

// BenchmarkPost stores messages of 128 bytes by POST, from 16 programs at once, in files of the embedded server: each is
// answered 201 when its stream has it.
func BenchmarkPost(b *testing.B) {
	for _, sync := range []string{"1s", "always"} {
		b.Run("sync="+sync, func(b *testing.B) {
			n := startNode(b, settings{"EMBED_SYNC": sync, "DEMO_TIME": "false", "LOG_LEVEL": "error", "LIMIT_PUBLISH_RATE": "0"})
			benchmarkPost(b, n.URL()+"/events/chat.room1")
		})
	}
}

func benchmarkPost(b *testing.B, url string) {
	const posters = 16
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: posters}}
	defer client.CloseIdleConnections()
	payload := bytes.Repeat([]byte("x"), 128)
	var next atomic.Int64
	var all sync.WaitGroup
	b.ResetTimer()
	for range posters {
		all.Go(func() {
			for next.Add(1) <= int64(b.N) {
				response, err := client.Post(url, "text/plain", bytes.NewReader(payload))
				if err != nil {
					b.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, response.Body)
				response.Body.Close()
				if response.StatusCode != http.StatusCreated {
					b.Errorf("answered %s", response.Status)
					return
				}
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "posts/s")
}
