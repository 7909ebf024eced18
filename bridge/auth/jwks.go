package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/MicahParks/jwkset"
	"golang.org/x/time/rate"
)

const (
	// refreshEvery is how old a key set may become while it is in use: so long does a key live on that its provider removed.
	refreshEvery = 5 * time.Minute
	// fetchEvery is how often a key set is asked for at most, whatever key ids callers make up.
	fetchEvery = 5 * time.Second
	// fetchTimeout is how long the provider may take.
	fetchTimeout = 5 * time.Second
	// maxWaiting is how many requests wait for a key set at once, and waitTimeout how long: each holds a connection and a
	// goroutine, and anyone can make up a key id that has to be looked for.
	maxWaiting  = 64
	waitTimeout = 2 * time.Second
	// maxKeySet is how many bytes of an answer are read.
	maxKeySet = 1 << 20
)

// jwks is a key set from a URL. It is read when it is needed: a key in it is used for as long as the provider is away, and
// one that is not is looked for, though not at every call.
type jwks struct {
	url    string
	log    *slog.Logger
	client *http.Client
	pace   *rate.Limiter

	waiting chan struct{} // holds one for each request that waits

	ctx     context.Context
	cancel  context.CancelFunc
	reading sync.WaitGroup

	mu      sync.Mutex
	keys    []key
	at      time.Time     // when they were read
	away    bool          // the last attempt has failed
	arrived chan struct{} // closed when the attempt under way has ended; nil if there is none
}

func openJWKS(config Config) *jwks {
	j := newJWKS(context.Background(), config.JWKS, config.Proxy, config.Log)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.fetch() // so that the first caller need not wait
	return j
}

// KeySet reads a key set once, as Auth would, and tells how many keys there are that tokens can be signed with: at least one. The
// error says what is wrong with it. proxy is that of Config.
func KeySet(ctx context.Context, address string, proxy *url.URL) (count int, err error) {
	j := newJWKS(ctx, address, proxy, nil)
	defer j.close()
	keys, err := j.read(ctx)
	return len(keys), err
}

// ReadKeySet reads the key set now, and returns how many keys it holds. If it cannot be read, the keys that it held stay good.
// Where tokens have another kind of key there is no set: it returns 0 and no error.
func (a *Auth) ReadKeySet(ctx context.Context) (count int, err error) {
	j, isSet := a.keys.(*jwks)
	if !isSet {
		return 0, nil
	}
	keys, err := j.read(ctx)
	if err != nil {
		return 0, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.keys, j.at, j.away = keys, time.Now(), false
	return len(keys), nil
}

func newJWKS(ctx context.Context, address string, proxy *url.URL, log *slog.Logger) *jwks {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy = nil // what the environment names was set for other programs, and would see which keys are trusted
	if proxy != nil {
		transport.Proxy = http.ProxyURL(proxy)
	}
	transport.DisableKeepAlives = true // it is asked too rarely
	j := &jwks{
		url: address, log: log, pace: rate.NewLimiter(rate.Every(fetchEvery), 1), waiting: make(chan struct{}, maxWaiting),
		client: &http.Client{Transport: transport, Timeout: fetchTimeout, CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("it redirects; name the URL that it leads to")
		}},
	}
	j.ctx, j.cancel = context.WithCancel(ctx)
	return j
}

func (j *jwks) close() {
	j.cancel()
	j.reading.Wait()
}

// find implements keys. A token without a key id may be of any key.
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

// await waits for the attempt under way, unless too many do already.
func (j *jwks) await(ctx context.Context, arrived <-chan struct{}) error {
	select {
	case j.waiting <- struct{}{}:
		defer func() { <-j.waiting }()
	default:
		return undecided("too many requests wait for the key set of TAILWATER_AUTH_JWKS_URL already")
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
		return undecided("the caller did not wait for the key set")
	}
}

// look gives the keys of an id, or what to wait for until it is worth while to look again.
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
	case j.away:
		return nil, nil, undecided("the key set that TAILWATER_AUTH_JWKS_URL names cannot be read")
	}
	return nil, nil, keyError("the token's kid is that of no key which its provider publishes")
}

// fetch reads the key set in the background. The lock must be held.
func (j *jwks) fetch() {
	arrived := make(chan struct{})
	j.arrived = arrived
	j.reading.Go(func() {
		keys, err := j.read(j.ctx)
		j.mu.Lock()
		defer j.mu.Unlock()
		j.arrived, j.away = nil, err != nil
		if err == nil {
			j.keys, j.at = keys, time.Now()
		} else if j.ctx.Err() == nil {
			j.log.Warn("cannot read the key set of tokens; those it had stay good", "error", err, "keys", len(j.keys))
		}
		close(arrived)
	})
}

func (j *jwks) read(ctx context.Context) ([]key, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, j.url, nil)
	if err != nil {
		return nil, fmt.Errorf("ask for the key set: %w", err)
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	response, err := j.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask for the key set: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask for the key set: %s", response.Status)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxKeySet))
	if err != nil {
		return nil, fmt.Errorf("read the key set: %w", err)
	}
	keys, err := parseKeySet(body)
	if err != nil {
		return nil, err
	}
	return keys, nil
}

// parseKeySet gives the keys of a set that tokens can be signed with. Others are passed over: a set may hold any.
func parseKeySet(text []byte) ([]key, error) {
	var set jwkset.JWKSMarshal
	if err := json.Unmarshal(text, &set); err != nil || !utf8.Valid(text) {
		return nil, errors.New("read the key set: it is no JSON Web Key Set")
	}
	// Package json takes a name in any case for the field's.
	if hasTwice(text, func(name string) string { return strings.ToLower(strings.ToUpper(name)) }) {
		return nil, fmt.Errorf("read the key set: it %w", errTwice)
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
		return nil, errors.New("read the key set: it holds no key that tokens can be signed with")
	}
	return keys, nil
}
