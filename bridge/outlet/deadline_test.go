package outlet_test

import (
	"context"
	"net/http"
	"testing"
)

// busy is a ResponseWriter on a machine that has so much else to do that the deadline of a write passes when the write has succeeded, before its
// writer goes on. It lets the preamble pass.
type busy struct {
	http.ResponseWriter
	over    context.Context
	flushes *int
}

func (b busy) Unwrap() http.ResponseWriter { return b.ResponseWriter }

func (b busy) FlushError() error {
	err := http.NewResponseController(b.ResponseWriter).Flush()
	if *b.flushes++; *b.flushes > 1 {
		<-b.over.Done()
	}
	return err
}

// net/http ends a stream of HTTP/2 at a write deadline, also between a write and what takes the deadline back. That is not the client's doing.
func TestDeadlineThatPassesAfterAWriteIsNotTheClient(t *testing.T) {
	t.Parallel()
	config := patient
	config.WriteTimeout = writeTimeout
	b := newFixture(t, config, plenty)
	server := serve(t, protocols[2], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.ServeHTTP(busy{w, r.Context(), new(int)}, r)
	}))
	c, _ := connect(t, server, "")
	b.ended(t, map[string]uint64{"slow": 1})
	c.response.Body.Close()
}
