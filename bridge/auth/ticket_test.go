package auth_test

import (
	"crypto"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/auth"
)

// badTicket checks that a ticket is refused with a text.
func badTicket(t *testing.T, a overheard, ticket, says string) {
	t.Helper()
	caller, err := a.Ticket(t.Context(), ticket)
	if !errors.Is(err, bridge.ErrToken) || !strings.Contains(err.Error(), says) || !caller.Anonymous() {
		t.Errorf("%v and %+v instead of %q", err, caller, says)
	}
	if len(ticket) > 10 && strings.Contains(err.Error(), ticket[:10]) {
		t.Errorf("the ticket stands in %q", err)
	}
}

func TestTicket(t *testing.T) {
	config := auth.Config{Secret: secret, TicketSecret: ticketSecret}
	a, other := open(t, config), open(t, config)
	token := sign(t, jwt.SigningMethodHS256, []byte(secret), claims(nil))
	first, second := a.Seal(token), a.Seal(token)
	if first == second || strings.Contains(first, ".") || strings.Contains(first, token[:20]) || !a.Tickets() {
		t.Errorf("tickets: %s and %s", first, second)
	}
	for _, node := range []overheard{a, other} {
		for range 3 { // an EventSource that reconnects brings the same
			caller, err := node.Ticket(t.Context(), first)
			if err != nil || caller.Name != "alice" || caller.Grant.CheckSubscribe("chat.a") != nil || caller.Grant.CheckSubscribe("news") == nil {
				t.Fatalf("%+v, %v", caller, err)
			}
		}
	}
}

func TestBadTickets(t *testing.T) {
	a := open(t, auth.Config{Secret: secret, TicketSecret: ticketSecret})
	token := sign(t, jwt.SigningMethodHS256, []byte(secret), claims(nil))
	ticket := a.Seal(token)
	for i := range ticket {
		changed := []byte(ticket)
		changed[i] = 'A' + (changed[i]-'A'+1)%26
		if string(changed) != ticket {
			badTicket(t, a, string(changed), "get another by POST /session")
		}
	}
	// Bits that stand for nothing in base64 are not free either.
	for _, length := range []string{"a", "bb", "ccc"} {
		ticket := a.Seal(sign(t, jwt.SigningMethodHS256, []byte(secret), claims(map[string]any{"x": length})))
		for _, last := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
			if changed := ticket[:len(ticket)-1] + string(last); changed != ticket {
				badTicket(t, a, changed, "get another by POST /session")
			}
		}
	}
	for _, none := range []string{"", "swordfish", ticket + "\n", "\r" + ticket, ticket[:9] + "\r\n" + ticket[9:], ticket[1:], ticket[:len(ticket)-1], ticket + "A", ticket + "=", token, base64.RawURLEncoding.EncodeToString([]byte(token)), strings.Repeat("A", 1<<20)} {
		badTicket(t, a, none, "get another by POST /session")
	}
	badTicket(t, a, a.Seal(sign(t, jwt.SigningMethodHS256, []byte(secret), claims(map[string]any{"exp": time.Now().Add(-time.Second).Unix()}))), "has expired")
	badTicket(t, a, a.Seal(sign(t, jwt.SigningMethodHS256, []byte(secret+"x"), claims(nil))), "signature does not match")

	other := open(t, auth.Config{Secret: secret, TicketSecret: ticketSecret + "x"})
	badTicket(t, other, ticket, "this bridge did not make it")
	without := open(t, auth.Config{PublicKeys: []crypto.PublicKey{pairs()["EdDSA"].public()}})
	badTicket(t, without, ticket, "this bridge did not make it")
	if without.Tickets() || without.Seals() || without.Seal(token) != "" {
		t.Error("tickets without a secret")
	}
}

// Without a secret of tickets there are none for pages, but what a cookie holds is sealed all the same: so that every bridge which
// takes the token opens it, and nobody else.
func TestSealWithTheSecretOfTokens(t *testing.T) {
	a, same := open(t, auth.Config{Secret: secret}), open(t, auth.Config{Secret: secret})
	other := open(t, auth.Config{Secret: secret + "x"})
	token := sign(t, jwt.SigningMethodHS256, []byte(secret), claims(nil))
	sealed := a.Seal(token)
	if a.Tickets() || !a.Seals() || strings.Contains(sealed, ".") || strings.Contains(sealed, token[:20]) {
		t.Errorf("%s, and tickets: %t", sealed, a.Tickets())
	}
	if caller, err := same.Ticket(t.Context(), sealed); err != nil || caller.Name != "alice" {
		t.Errorf("%+v, %v", caller, err)
	}
	badTicket(t, other, sealed, "this bridge did not make it")
	badTicket(t, open(t, auth.Config{Secret: secret, TicketSecret: ticketSecret}), sealed, "this bridge did not make it")
}

// No text is a ticket but one that was sealed.
func FuzzTicket(f *testing.F) {
	a := open(f, auth.Config{Secret: secret, TicketSecret: ticketSecret})
	ticket := a.Seal(sign(f, jwt.SigningMethodHS256, []byte(secret), claims(map[string]any{"exp": 99999999999})))
	f.Add("")
	f.Add("AAAA")
	f.Add(ticket[1:])
	f.Add(ticket + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		if text == ticket {
			return
		}
		if _, err := a.Ticket(t.Context(), text); !errors.Is(err, bridge.ErrToken) {
			t.Errorf("%q: %v", text, err)
		}
	})
}
