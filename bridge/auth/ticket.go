package auth

import (
	"cmp"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"
)

// seal makes tickets. A ticket is the encrypted token: it has the same rights and expires with the token, on every bridge that
// has the secret. A ticket found in a log can be used on these bridges until it expires, nowhere else, and reveals nothing.
type seal struct{ cipher cipher.AEAD }

// sealPurpose distinguishes this key from other keys of the same secret, and tickets from other sealed texts.
const sealPurpose = "tailwater ticket 1"

// openSeal returns nil if there is no secret. Without a secret for tickets, cookies are sealed with the secret for tokens, which
// every bridge has as well.
func openSeal(config Config) (*seal, error) {
	secret := cmp.Or(config.TicketSecret, config.Secret)
	if secret == "" {
		return nil, nil
	}
	if config.TicketSecret != "" && len(secret) < MinSecret {
		return nil, errSecret("the secret for tickets", secret)
	}
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, sealPurpose, chacha20poly1305.KeySize)
	if err != nil {
		return nil, fmt.Errorf("derive the key for tickets: %w", err)
	}
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, fmt.Errorf("derive the key for tickets: %w", err)
	}
	return &seal{aead}, nil
}

func (s *seal) close(token string) string {
	nonce := make([]byte, s.cipher.NonceSize(), s.cipher.NonceSize()+len(token)+s.cipher.Overhead())
	_, _ = rand.Read(nonce) // never fails
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

// Tickets reports whether tickets may be given to pages, which put them into URLs.
func (a *Auth) Tickets() bool { return a.config.TicketSecret != "" }

// Seals reports whether Seal can make tickets.
func (a *Auth) Seals() bool { return a.seal != nil }

// Seal returns a ticket for a valid token; empty if there is no secret.
func (a *Auth) Seal(token string) string {
	if a.seal == nil {
		return ""
	}
	return a.seal.close(token)
}
