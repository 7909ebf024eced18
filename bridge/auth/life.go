package auth

import (
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The times that a token may name, in seconds since 1970: the years 1 to 9999. What is told of a token, such as when a cookie expires,
// has a year of four digits (RFC 3339), and arithmetic with times of these years does not overflow.
const firstTime, lastTime = -62135596800, 253402300799

// lifeError says that a token is good for too long.
type lifeError string

func (e lifeError) Error() string { return string(e) }

// checkLife refuses a token that is good for longer than the settings allow: whoever finds it could use it for as long.
func (a *Auth) checkLife(claims jwt.MapClaims) error {
	if wrong := a.wrongType(claims); wrong != nil { // an nbf that is no time may have passed for one
		return wrong
	}
	expires, _ := claims["exp"].(float64)
	most := a.config.MaxLife
	if most == 0 || !time.Unix(int64(expires), 0).After(time.Now().Add(most+leeway)) {
		return nil
	}
	return lifeError(fmt.Sprintf("the token is good for longer than the %v that TAILWATER_AUTH_MAX_LIFE allows; let its signer give it a nearer exp", most))
}
