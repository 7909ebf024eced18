package auth

import (
	"cmp"
	"context"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/tailwater/tailwater/bridge"
)

// seal makes tickets: the token itself, encrypted, so that a ticket is good for exactly as long as its token is, and for
// exactly as much, on every node that has the secret. Whoever finds it in a log can use it here until then, but nowhere else,
// and reads nothing from it.
type seal struct{ cipher cipher.AEAD }

// sealPurpose separates this key from others that may be derived from the secret, and tickets from other sealed texts.
const sealPurpose = "tailwater ticket 1"

// openSeal returns nil where there is no secret. That of tickets may be missing: what stands in cookies is then sealed with the
// one that makes tokens, which every bridge has as well.
func openSeal(config Config) (*seal, error) {
	secret := cmp.Or(config.TicketSecret, config.Secret)
	if secret == "" {
		return nil, nil
	}
	if config.TicketSecret != "" && len(secret) < MinSecret {
		return nil, errSecret("the secret of tickets", secret)
	}
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, sealPurpose, chacha20poly1305.KeySize)
	if err != nil {
		return nil, fmt.Errorf("derive the key of tickets: %w", err)
	}
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, fmt.Errorf("derive the key of tickets: %w", err)
	}
	return &seal{aead}, nil
}

func (s *seal) close(token string) string {
	nonce := make([]byte, s.cipher.NonceSize(), s.cipher.NonceSize()+len(token)+s.cipher.Overhead())
	_, _ = rand.Read(nonce) // it never fails
	return base64.RawURLEncoding.EncodeToString(s.cipher.Seal(nonce, nonce, []byte(token), []byte(sealPurpose)))
}

func (s *seal) open(ticket string) (token string, ok bool) {
	if len(ticket) > 2*MaxToken || strings.ContainsAny(ticket, lineEnds) {
		return "", false
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(ticket)
	if err != nil || len(sealed) < s.cipher.NonceSize() {
		return "", false
	}
	nonce, text := sealed[:s.cipher.NonceSize()], sealed[s.cipher.NonceSize():]
	opened, err := s.cipher.Open(nil, nonce, text, []byte(sealPurpose))
	return string(opened), err == nil
}

// Tickets tells whether tickets may be given to pages, which put them into URLs.
func (a *Auth) Tickets() bool { return a.config.TicketSecret != "" }

// Seals tells whether there is a secret to seal with.
func (a *Auth) Seals() bool { return a.seal != nil }

// Seal makes a ticket of a token that was found good; empty where there is no secret to seal with.
func (a *Auth) Seal(token string) string {
	if a.seal == nil {
		return ""
	}
	return a.seal.close(token)
}

// Ticket gives the caller whom a ticket's token names. The errors are those of Token.
func (a *Auth) Ticket(ctx context.Context, ticket string) (bridge.Caller, error) {
	token, ok := "", false
	if a.seal != nil {
		token, ok = a.seal.open(ticket)
	}
	if !ok {
		return bridge.Caller{}, fmt.Errorf("%w: the ticket is none that this bridge has made, or not as it was made; POST /session gives another", bridge.ErrToken)
	}
	return a.Token(ctx, token)
}
