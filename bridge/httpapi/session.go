package httpapi

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// EventSource cannot set headers. So a page sends its token to sessionPath once, and gets what its browser can send: a ticket for the URL, or
// a cookie.
const sessionPath = "/session"

// maxCookie is the largest cookie, name and value together, that browsers keep (RFC 6265bis, 5.6).
const maxCookie = 4096

func (a *API) hasSessions() bool {
	return a.config.Auth != nil && (a.config.Cookie != "" || a.config.Auth.Tickets())
}

// session is the answer to a valid token.
type session struct {
	Ticket  string    `json:"ticket,omitempty"`
	Expires time.Time `json:"expires"`
}

// signOut takes the cookie back.
func (a *API) signOut(w http.ResponseWriter, r *http.Request) error {
	a.setCookie(w, r, &http.Cookie{MaxAge: -1})
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// signIn exchanges a token.
func (a *API) signIn(w http.ResponseWriter, r *http.Request) error {
	if !a.config.Auth.Seals() {
		return errSession
	}
	if _, err := parseQuery(r); err != nil {
		return err
	}
	token, sent := bearer(r)
	if !sent {
		return errNoToken
	}
	caller, err := a.config.Auth.Token(r.Context(), token)
	if err != nil {
		return err
	}
	answer := session{Expires: caller.Until.UTC()}
	if a.config.Auth.Tickets() {
		answer.Ticket = a.config.Auth.Seal(token)
	}
	if a.config.Cookie != "" {
		sealed := a.config.Auth.Seal(token)
		if size := len(a.cookieName(r)) + len(sealed); size > maxCookie {
			return fmt.Errorf("%w: the token has %d bytes, and its cookie %d; browsers keep at most %d; use fewer filters in the token, or a ticket", errHeader, len(token), size, maxCookie)
		}
		a.setCookie(w, r, &http.Cookie{Value: sealed, Expires: caller.Until})
	}
	a.stats.posts.Add(postAccepted)
	writeJSON(w, http.StatusOK, typeDocument, answer)
	return nil
}

// setCookie sends a cookie that scripts cannot read and forms of other sites do not send. It is Secure, unless the browser is on this
// machine, where there may be no TLS.
func (a *API) setCookie(w http.ResponseWriter, r *http.Request, cookie *http.Cookie) {
	if a.config.Cookie == "" {
		return
	}
	cookie.Name, cookie.Path = a.cookieName(r), "/"
	cookie.HttpOnly, cookie.SameSite = true, http.SameSiteLaxMode
	cookie.Secure = !isLoopback(hostname(r.Host)) || strings.HasPrefix(cookie.Name, "__")
	http.SetCookie(w, cookie)
}
