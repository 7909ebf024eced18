package auth_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tailwater/tailwater/bridge/auth"
)

// A token that is good for years is no token that expires, and most often a mistake: milliseconds instead of seconds.
func TestTokensAreNotGoodForTooLong(t *testing.T) {
	a := open(t, auth.Config{Secret: secret, MaxLife: 24 * time.Hour})
	text := func(exp string) string {
		return signText(t, `{"alg":"HS256"}`, fmt.Sprintf(`{"sub":"alice","exp":%s}`, exp))
	}
	good(t, a, sign(t, jwt.SigningMethodHS256, []byte(secret), claims(map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()})))
	for exp, says := range map[string]string{
		fmt.Sprint(time.Now().Add(25 * time.Hour).Unix()): "expires later than the 24h0m0s from now that TAILWATER_AUTH_MAX_LIFE allows",
		fmt.Sprint(time.Now().Add(time.Hour).UnixMilli()): "not milliseconds",
		fmt.Sprint(time.Now().Add(time.Hour).UnixMicro()): "not a time",
		fmt.Sprint(time.Now().Add(time.Hour).UnixNano()):  "not a time",
		"1e300":                "not a time",
		"-1e300":               "not a time",
		"9223372036854775807":  "not a time",
		"9.3e18":               "not a time",
		"18446744073709551616": "not a time",
		"253402300800":         "not a time",
		"-62135596801":         "not a time",
		"1e400":                "is not a JWT",
		"1":                    "has expired (1970",
	} {
		bad(t, a, text(exp), says)
	}
	for _, nbf := range []string{"1e300", "-1e300", "253402300800", "9.3e18"} {
		bad(t, a, signText(t, `{"alg":"HS256"}`, fmt.Sprintf(`{"sub":"alice","exp":%d,"nbf":%s}`, time.Now().Add(time.Hour).Unix(), nbf)), "not a time")
	}
	// Without a limit a token has to end in a year of four digits, as everything that is told of it can.
	long := open(t, auth.Config{Secret: secret})
	if year := good(t, long, text("253402300799")).Until.UTC().Year(); year != 9999 {
		t.Errorf("it is good until %d", year)
	}
	bad(t, long, text("253402300800"), "not a time")
}
