package auth

import (
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The times that a token may contain, in seconds since 1970: the years 1 to 9999. RFC 3339 and cookies write years with four
// digits, and arithmetic with times of these years does not overflow.
const firstTime, lastTime = -62135596800, 253402300799

// lifeError means that a token expires too late.
type lifeError string

func (e lifeError) Error() string { return string(e) }

// checkLife refuses a token that expires later than the settings allow: a stolen token is useful until it expires.
func (a *Auth) checkLife(claims jwt.MapClaims) error {
	if wrong := a.wrongType(claims); wrong != nil { // the library may have accepted an nbf that is not a time
		return wrong
	}
	expires, _ := claims["exp"].(float64)
	most := a.config.MaxLife
	if most == 0 || !time.Unix(int64(expires), 0).After(time.Now().Add(most+leeway)) {
		return nil
	}
	return lifeError(fmt.Sprintf("the token expires later than the %v from now that TAILWATER_AUTH_MAX_LIFE allows; its signer must set an earlier exp", most))
}
