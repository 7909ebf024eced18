package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
)

// A token in a URL is refused under any name and anywhere in the query, before it is used, and the error says where to put it.
func TestTokensInQueries(t *testing.T) {
	c, _ := signedIn(t)
	c.Pages = withPage().Pages
	b := start(t, c)
	secrets.Plant(lookLikeAToken)
	const unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0."
	encrypted := "eyJhbGciOiJkaXIifQ..aXY.Y2lwaGVy.dGFn" // JWE with an empty key
	for _, query := range []string{
		"access_token=" + lookLikeAToken, "id_token=" + lookLikeAToken, "refresh_token=" + lookLikeAToken, "token=" + lookLikeAToken, "jwt=" + lookLikeAToken,
		"access_token=opaque", "id_token=opaque", "ID_TOKEN=opaque", "id-token=opaque", "idToken=opaque", "Access_Token=", "id_token", "refreshToken=opaque",
		"ticket=" + lookLikeAToken, "ticket=" + ticketAlice + "&ticket=" + lookLikeAToken, "whatever=" + lookLikeAToken, "x=1&y=2&z=" + lookLikeAToken,
		"authorization=Bearer%20" + lookLikeAToken, "h=%7B%22token%22%3A%22" + lookLikeAToken + "%22%7D", "url=https%3A%2F%2Fx.example%2F%3Ft%3D" + lookLikeAToken, lookLikeAToken, lookLikeAToken + "=",
		"a=" + unsigned, "a=" + encrypted, "a=eyAiYWxnIjogIkhTMjU2IiB9.e30.c2ln", "a=ewogImFsZyI6IkhTMjU2In0.e30.c2ln",
		"since=" + lookLikeAToken, "format=" + lookLikeAToken, "lastEventId=" + lookLikeAToken, "poll=1&limit=" + lookLikeAToken, "sinse=" + lookLikeAToken,
	} {
		for _, request := range [][2]string{
			{"GET", "/events/chat.a"}, {"HEAD", "/events/chat.a"}, {"POST", "/events/chat.a"}, {"GET", "/events/secret"}, {"GET", "/events"}, {"GET", "/inbox"}, {"POST", "/session"}, {"GET", "/"},
		} {
			a := b.do(t, request[0], request[1]+"?"+query, nil)
			if a.status != http.StatusBadRequest {
				t.Errorf("%s %s?%s: %d", request[0], request[1], query, a.status)
			} else if request[0] != "HEAD" {
				if p := a.problem(t, 400, "bad-query"); !strings.Contains(p.Detail, "Authorization: Bearer") || !strings.Contains(p.Detail, "POST /session") {
					t.Errorf("%s: %s", query, p.Detail)
				}
			}
		}
	}
	for _, query := range []string{"Ticket=" + ticketAlice, "TICKET=" + ticketAlice, "ticket[]=" + ticketAlice} {
		a := b.do(t, "GET", "/events/chat.a?"+query, nil)
		if p := a.problem(t, 400, "bad-query"); !strings.Contains(p.Detail, "did you mean ticket?") {
			t.Errorf("%s: %s", query, p.Detail)
		}
	}
	for _, query := range []string{
		"token=7", "jwt=x", "tokens=3", "x=eyJ", "x=eyJ.a", "x=heyJude.a.b", "x=a.b.c", "since=new&x=1.2.3", "t=1764360000", "csrf_token=a.b", "ticket=" + ticketAlice,
	} {
		if got := b.status(t, "HEAD", "/events/chat.a?"+query); got != 200 {
			t.Errorf("%s: %d", query, got)
		}
	}
	// A preflight says nothing of it: a page that may send the request reads why it is refused.
	if got := b.status(t, "OPTIONS", "/events/chat.a?id_token="+lookLikeAToken, "Origin", ownOrigin); got != 204 {
		t.Errorf("a preflight: %d", got)
	}
	b.quiet(t)
}
