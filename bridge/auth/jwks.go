package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/MicahParks/jwkset"
	"golang.org/x/time/rate"
)

const (
	// refreshEvery is the age at which a key set in use is read again. A key that its provider has removed stays valid so long.
	refreshEvery = 5 * time.Minute
	// fetchEvery is the shortest time between two reads, whatever key ids callers make up.
	fetchEvery = 5 * time.Second
	// fetchTimeout is how long one read may take.
	fetchTimeout = 5 * time.Second
	// maxWaiting is how many requests may wait for a read at once, and waitTimeout for how long. Each holds a connection and a
	// goroutine, and anyone can make up a key id that causes a read.
	maxWaiting  = 64
	waitTimeout = 2 * time.Second
	// maxKeySet is the size of the largest key set, in bytes.
	maxKeySet = 1 << 20
)

// jwks is a key set from a URL. It is read when a key is missing or the set is old. While the provider cannot be reached, the keys
// of the last read stay valid.
type jwks struct {
	url    string
	log    *slog.Logger
	client *http.Client
	pace   *rate.Limiter

	waiting chan struct{} // one element for each request that waits

	ctx     context.Context
	cancel  context.CancelFunc
	reading sync.WaitGroup

	mu      sync.Mutex
	keys    []key
	at      time.Time     // when keys was read
	away    bool          // the last read has failed
	arrived chan struct{} // closed when the running read has ended; nil if none is running
}

func openJWKS(config Config) *jwks {
	j := newJWKS(context.Background(), config.JWKS, config.Proxy, config.Log)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.fetch() // the first caller need not wait for it
	return j
}

// KeySet reads a key set once, as Auth would, and returns how many of its keys can sign tokens. A set without any is an error.
// proxy is as in Config.
func KeySet(ctx context.Context, address string, proxy *url.URL) (count int, err error) {
	j := newJWKS(ctx, address, proxy, nil)
	defer j.close()
	keys, err := j.read(ctx)
	return len(keys), err
}

// ReadKeySet reads the key set now, and returns how many keys it holds. After an error the earlier keys stay valid. Without
// Config.JWKS it returns 0 and no error.
func (a *Auth) ReadKeySet(ctx context.Context) (count int, err error) {
	j, isSet := a.keys.(*jwks)
	if !isSet {
		return 0, nil
	}
	return j.refresh(ctx)
}

func newJWKS(ctx context.Context, address string, proxy *url.URL, log *slog.Logger) *jwks {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil // a proxy from the environment was set for other programs, and could exchange the trusted keys
	if proxy != nil {
		transport.Proxy = http.ProxyURL(proxy)
	}
	transport.DisableKeepAlives = true // reads are too rare
	j := &jwks{
		url: address, log: log, pace: rate.NewLimiter(rate.Every(fetchEvery), 1), waiting: make(chan struct{}, maxWaiting),
		client: &http.Client{Transport: transport, Timeout: fetchTimeout, CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("the URL redirects; set the URL that it redirects to")
		}},
	}
	j.ctx, j.cancel = context.WithCancel(ctx)
	return j
}

func (j *jwks) close() {
	j.cancel()
	j.reading.Wait()
}

// find implements keys. Any key may have signed a token without a key id.
func (j *jwks) find(ctx context.Context, id string) ([]key, error) {
	for isAgain := false; ; isAgain = true {
		found, arrived, err := j.look(id, isAgain)
		if arrived == nil {
			return found, err
		}
		if err := j.await(ctx, arrived); err != nil {
			return nil, err
		}
	}
}

// await waits for the running read, unless too many requests wait already.
func (j *jwks) await(ctx context.Context, arrived <-chan struct{}) error {
	select {
	case j.waiting <- struct{}{}:
		defer func() { <-j.waiting }()
	default:
		return undecided("too many requests are waiting for the key set of TAILWATER_AUTH_JWKS_URL")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, waitTimeout, undecided("the provider of TAILWATER_AUTH_JWKS_URL has not answered in time"))
	defer cancel()
	select {
	case <-arrived:
		return nil
	case <-ctx.Done():
		var late undecided
		if errors.As(context.Cause(ctx), &late) {
			return late
		}
		return undecided("the request ended before the key set was read")
	}
}

// look returns the keys with an id, or a channel to wait for before looking again.
func (j *jwks) look(id string, isAgain bool) (found []key, arrived <-chan struct{}, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, k := range j.keys {
		if id == "" || k.id == id {
			found = append(found, k)
		}
	}
	isOld := time.Since(j.at) > refreshEvery
	if (len(found) == 0 && !isAgain || isOld) && j.arrived == nil && j.ctx.Err() == nil && j.pace.Allow() {
		j.fetch()
	}
	switch {
	case len(found) > 0:
		return found, nil, nil
	case j.arrived != nil && !isAgain:
		return nil, j.arrived, nil
	case j.away || j.ctx.Err() != nil:
		return nil, nil, undecided("the key set that TAILWATER_AUTH_JWKS_URL names cannot be read")
	}
	return nil, nil, refusal("the token's kid is not in the provider's key set")
}

// fetch starts a read in the background. The lock must be held.
func (j *jwks) fetch() {
	arrived := make(chan struct{})
	j.arrived = arrived
	j.reading.Go(func() {
		_, err := j.refresh(j.ctx)
		j.mu.Lock()
		defer j.mu.Unlock()
		if err != nil && j.ctx.Err() == nil {
			j.log.Warn("cannot read the key set; the keys of the last read stay valid", "error", err, "keys", len(j.keys))
		}
		j.arrived = nil
		close(arrived)
	})
}

// refresh reads the key set, and returns how many keys it holds. After an error the earlier keys stay valid.
func (j *jwks) refresh(ctx context.Context) (count int, err error) {
	keys, err := j.read(ctx)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.away = err != nil; !j.away {
		j.keys, j.at = keys, time.Now()
	}
	return len(keys), err
}

func (j *jwks) read(ctx context.Context) ([]key, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, j.url, nil)
	if err != nil {
		return nil, fmt.Errorf("request the key set: %w", err)
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	response, err := j.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("request the key set: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("request the key set: %s", response.Status)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxKeySet))
	if err != nil {
		return nil, fmt.Errorf("read the key set: %w", err)
	}
	return parseKeySet(body)
}

// parseKeySet returns the keys of a set that can sign tokens. It skips others: a set may hold keys for any use.
func parseKeySet(text []byte) ([]key, error) {
	var set jwkset.JWKSMarshal
	switch err := decode(text, &set); {
	case errors.Is(err, errTwice):
		return nil, fmt.Errorf("read the key set: it %w", errTwice)
	case err != nil:
		return nil, errors.New("read the key set: not a JSON Web Key Set")
	}
	var keys []key
	for _, marshalled := range set.Keys {
		if marshalled.USE != "" && marshalled.USE != jwkset.UseSig {
			continue
		}
		jwk, err := jwkset.NewJWKFromMarshal(marshalled, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{SkipKeyOps: true})
		if err != nil {
			continue
		}
		k, err := newKey(jwk.Key())
		if err != nil {
			continue
		}
		k.id = marshalled.KID
		if alg := marshalled.ALG.String(); alg != "" {
			k.algs = slices.DeleteFunc(k.algs, func(a string) bool { return a != alg })
		}
		if len(k.algs) > 0 {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("read the key set: it holds no key that can sign tokens")
	}
	return keys, nil
}
