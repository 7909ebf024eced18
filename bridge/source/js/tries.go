package js

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

const (
	// tryTime is how long a question may go without an answer before it is asked again: whom it has reached may be dead, and
	// another have taken its place. An answer to any try is good.
	tryTime = 2 * time.Second
	// tryAgain is the age from which a question is asked again at once when there is a new leader, or a new connection.
	tryAgain = 100 * time.Millisecond
	// longestCall is how long a question may take in all, if its context does not end earlier.
	longestCall = 30 * time.Second
)

// answered is what a try of a question has brought.
type answered struct {
	msg *nats.Msg
	err error
}

// request asks until it is answered, or the context ends.
func (a API) request(ctx context.Context, subject string, body []byte) (*nats.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, longestCall)
	var tries sync.WaitGroup
	defer tries.Wait()
	defer cancel()
	answers := make(chan answered)
	try := func() {
		tries.Go(func() {
			msg, err := a.Conn.RequestWithContext(ctx, subject, body)
			select {
			case answers <- answered{msg, err}:
			case <-ctx.Done():
			}
		})
	}
	again := time.NewTicker(tryTime)
	defer again.Stop()
	begun := time.Now()
	try()
	for change := a.Conn.tries.Wait(); ; {
		select {
		case answer := <-answers:
			return answer.msg, answer.err
		case <-again.C:
			try()
		case <-change:
			if change = a.Conn.tries.Wait(); time.Since(begun) > tryAgain {
				try()
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
