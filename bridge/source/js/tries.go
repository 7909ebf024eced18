package js

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
)

const (
	// tryTime is how long a request may have no answer before it is sent again: its receiver may be dead and replaced. An answer
	// to any of the tries counts.
	tryTime = 2 * time.Second
	// tryAgain is the age from which an unanswered request is sent again at once if there is a new leader or a new connection.
	tryAgain = 100 * time.Millisecond
	// longestCall is how long a request may take in all, unless its context ends earlier.
	longestCall = 30 * time.Second
)

// answered is the result of one try.
type answered struct {
	msg *nats.Msg
	err error
}

// request sends a request, again and again, until it is answered, NATS refuses it or its answer, or the context ends.
func (a API) request(ctx context.Context, subject string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, longestCall)
	var tries sync.WaitGroup
	defer tries.Wait()
	defer cancel()
	answers := make(chan answered)
	try := func() {
		tries.Go(func() {
			msg, err := a.NATS().RequestWithContext(ctx, subject, body)
			select {
			case answers <- answered{msg, err}:
			case <-ctx.Done():
			}
		})
	}
	again := time.NewTicker(tryTime)
	defer again.Stop()
	asked, begun := a.Link().Now(), time.Now()
	try()
	for change := a.Tries(); ; {
		violations := asked.Violations()
		if a.IsRefused(asked, subject) || asked.Ever().SubscribeRefused(a.answers()) {
			return nil, bridge.ErrRefused
		}
		select {
		case answer := <-answers:
			if answer.err != nil {
				return nil, answer.err
			}
			return answer.msg.Data, nil
		case <-violations:
		case <-again.C:
			try()
		case <-change:
			if link := a.Link(); link != asked.Link {
				asked = link.Now()
			}
			if change = a.Tries(); time.Since(begun) > tryAgain {
				try()
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
