package auth

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The times that a token may contain, in seconds since 1970: the years 1 to 9999. RFC 3339 and cookies write years with four
// digits, and arithmetic with times of these years does not overflow.
const firstTime, lastTime = -62135596800, 253402300799

// checkTimes refuses a token that expires later than the settings allow: a stolen token is useful until it expires.
func (a *Auth) checkTimes(claims jwt.MapClaims) error {
	if wrong := a.wrongType(claims); wrong != nil { // the library may have accepted an nbf that is not a time
		return wrong
	}
	expires, _ := claims["exp"].(float64)
	most := a.config.MaxLife
	if most == 0 || !time.Unix(int64(expires), 0).After(time.Now().Add(most+leeway)) {
		return nil
	}
	return refusal(fmt.Sprintf("the token expires later than the %v from now that TAILWATER_AUTH_MAX_LIFE allows; its signer must set an earlier exp", most))
}

// wrongType returns an error for the first claim of a wrong type (RFC 7519, 4.1), among those that are checked; nil if there
// is none. A claim that is absent or null has no type.
func (a *Auth) wrongType(claims jwt.MapClaims) error {
	for _, name := range []string{"exp", "nbf"} {
		switch value := claims[name].(type) {
		case nil:
		case float64:
			if value == 0 && name == "exp" { // the library treats 0 as absent
				return errors.New("the token's exp is 0, the year 1970; sign in again")
			}
			if value < firstTime || value > lastTime {
				return fmt.Errorf("the token's %s is not a time before the year 10000; write seconds since 1970, not milliseconds", name)
			}
		default:
			return fmt.Errorf("the token's %s is not a number; write seconds since 1970", name)
		}
	}
	if _, isText := claims["iss"].(string); a.config.Issuer != "" && claims["iss"] != nil && !isText {
		return errors.New("the token's iss is not a string")
	}
	if a.config.Audience != "" && !isAudience(claims["aud"]) {
		return errors.New("the token's aud is neither a string nor a list of strings")
	}
	return nil
}

func isAudience(claim any) bool {
	switch value := claim.(type) {
	case nil, string:
		return true
	case []any:
		return !slices.ContainsFunc(value, func(name any) bool {
			_, isText := name.(string)
			return !isText
		})
	}
	return false
}
