package httpapi

import (
	"context"
	"time"
)

// Drain makes every GET of a stream from now on end at once, with the advice to come back later: to a browser any status but 200 would be
// final. POSTs are still served, but questions are refused, and those without an answer are answered where it can be read.
func (a *API) Drain(end time.Time) {
	if a.drainEnd.Swap(end.UnixNano()) == 0 {
		close(a.draining)
	}
}

// Finish ends the use of publisher, store and runs: when it returns, they may be closed, and then what they stand on. It waits for messages that
// are being published, but not for bodies that are still arriving, and not for answers of the store. Drain must have been called before. Each
// client that needs them is asked to come back: a GET by the answer of Drain, other methods by 503.
func (a *API) Finish() {
	a.finish()
	a.working.Lock() // waits for running requests
	defer a.working.Unlock()
}

func (a *API) isDraining() bool { return a.drainEnd.Load() != 0 }

// begin reports whether a request may use publisher, store and runs. If so, the request calls end afterwards.
func (a *API) begin() (end func(), ok bool) {
	a.working.RLock()
	if a.serving.Err() != nil {
		a.working.RUnlock()
		return nil, false
	}
	return a.working.RUnlock, true
}

// hand hands something to NATS, unless the bridge is about to end. A client that disconnects does not cancel it: NATS may have received it.
func (a *API) hand(ctx context.Context, timeout time.Duration, do func(context.Context) error) error {
	end, ok := a.begin()
	if !ok {
		return errBusy
	}
	defer end()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	return do(ctx)
}

// storeTimeout is how long the store may take to answer.
const storeTimeout = 5 * time.Second

// lookUp asks the store. It does not wait any longer once the bridge is about to end.
func (a *API) lookUp(ctx context.Context, ask func(context.Context) error) error {
	end, ok := a.begin()
	if !ok {
		return errBusy
	}
	defer end()
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	defer context.AfterFunc(a.serving, cancel)()
	return ask(ctx)
}
