package auth_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tailwater/tailwater/bridge/auth"
)

// signText signs a token whose header and claims are these texts.
func signText(t testing.TB, header, claims string) string {
	t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	text := encode([]byte(header)) + "." + encode([]byte(claims))
	signature, err := jwt.SigningMethodHS256.Sign(text, []byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	token := text + "." + encode(signature)
	secrets.Plant(token)
	return token
}

// A name that is written twice, or in other letters, means one thing to one decoder and another to the next: the denial that its
// signer wrote could be lost.
func TestTokensAreDecodedStrictly(t *testing.T) {
	const header = `{"alg":"HS256"}`
	a := open(t, auth.Config{Secret: secret})
	exp := time.Now().Add(time.Hour).Unix()
	with := func(more string) string { return fmt.Sprintf(`{"sub":"alice","exp":%d,%s}`, exp, more) }
	const twice, form = "twice", "is not of the form"
	for name, test := range map[string]struct{ header, claims, says string }{
		"the claim twice":          {header, with(`"nats":{"sub":{"deny":["chat.a"]}},"nats":{"sub":{"allow":["chat.>"]}}`), twice},
		"sub twice":                {header, with(`"nats":{"sub":{"allow":["chat.>"],"deny":["chat.a"]},"sub":{"allow":["chat.>"]}}`), twice},
		"deny twice":               {header, with(`"nats":{"sub":{"allow":["chat.>"],"deny":["chat.a"],"deny":[]}}`), twice},
		"deny twice, escaped":      {header, with(`"nats":{"sub":{"allow":["chat.>"],"deny":["chat.a"],"den\u0079":[]}}`), twice},
		"wildcards twice":          {header, with(`"nats":{"wildcards":false,"wildcards":true}`), twice},
		"the subject twice":        {header, with(`"sub":"bob"`), twice},
		"the expiry twice":         {header, with(`"exp":99999999999`), twice},
		"nbf twice":                {header, with(`"nbf":99999999999,"nbf":1`), twice},
		"aud twice":                {header, with(`"aud":"a","aud":"b"`), twice},
		"a claim of a route twice": {header, with(`"tenant":"a","tenant":"b"`), twice},
		"within a list":            {header, with(`"x":[{"a":1,"a":2}]`), twice},
		"the algorithm twice":      {`{"alg":"none","alg":"HS256"}`, with(`"x":1`), twice},
		"the key id twice":         {`{"alg":"HS256","kid":"a","kid":"b"}`, with(`"x":1`), twice},
		"SUB":                      {header, with(`"nats":{"SUB":{"allow":["chat.>"]}}`), form},
		"Deny":                     {header, with(`"nats":{"sub":{"allow":["chat.>"],"Deny":["chat.a"]}}`), form},
		"deny and DENY":            {header, with(`"nats":{"sub":{"allow":["chat.>"],"deny":["chat.a"],"DENY":[]}}`), form},
		"a long s":                 {header, with(`"nats":{"wildcardſ":true}`), form},
		"WILDCARDS":                {header, with(`"nats":{"wildcards":false,"WILDCARDS":true}`), form},
		"NATS":                     {header, with(`"NATS":{"sub":{"deny":["chat.a"]}}`), "in lower case"},
		"nats and Nats":            {header, with(`"nats":{},"Nats":{"sub":{"deny":["chat.a"]}}`), "in lower case"},
		"deny that is a text":      {header, with(`"nats":{"sub":{"allow":["chat.>"],"deny":"chat.a"}}`), form},
		"deny of numbers":          {header, with(`"nats":{"sub":{"allow":["chat.>"],"deny":[7]}}`), form},
		"deny of nothing":          {header, with(`"nats":{"sub":{"allow":["chat.>"],"deny":[null]}}`), "not a subject"},
		"wildcards as a text":      {header, with(`"nats":{"wildcards":"false"}`), form},
		"sub as a list":            {header, with(`"nats":{"sub":[]}`), form},
		"half of a character":      {header, with(`"x":"\ud83d"`), "is not a JWT"},
		"no UTF-8":                 {header, with("\"x\":\"\xff\""), "is not a JWT"},
		"no UTF-8 in the header":   {"{\"alg\":\"HS256\",\"x\":\"\xff\"}", with(`"x":1`), "is not a JWT"},
		"null as claims":           {header, `null`, "is not a JWT"},
		"null as header":           {`null`, with(`"x":1`), "is not a JWT"},
	} {
		t.Run(name, func(t *testing.T) { bad(t, a, signText(t, test.header, test.claims), test.says) })
	}
	caller := good(t, a, signText(t, header, with(`"Sub":"bob","x":{"a":1,"A":2},"y":[{"a":1},{"a":1}],"nats":{"sub":{"allow":["chat.>"],"deny":null},"pub":null}`)))
	if caller.Name != "alice" || len(caller.Grant.Subscribe) != 1 {
		t.Errorf("%+v", caller)
	}
}

// What a key of a set is for is read as strictly: one for encryption signs nothing.
func TestKeysAreDecodedStrictly(t *testing.T) {
	public := base64.RawURLEncoding.EncodeToString(pairs()["EdDSA"].public().(ed25519.PublicKey))
	key := `{"kty":"OKP","crv":"Ed25519","x":"` + public + `","kid":"a"`
	for set, want := range map[string]int{
		`{"keys":[` + key + `}]}`:                                    1,
		`{"keys":[` + key + `,"use":"enc"}]}`:                        0,
		`{"keys":[` + key + `,"use":"enc","use":"sig"}]}`:            0,
		`{"keys":[` + key + `,"use":"enc","USE":"sig"}]}`:            0,
		`{"keys":[` + key + `,"use":"enc","uſe":"sig"}]}`:            0,
		`{"keys":[` + key + `,"n2":1e400,"use":"enc","use":"sig"}]}`: 0, // after a number that no float64 holds
		`{"keys":[` + key + `,"kid":"b"}]}`:                          0,
		`{"keys":[],"keys":[` + key + `}]}`:                          0,
		`{"keys":[],"KEYS":[` + key + `}]}`:                          0,
		`{"keys":[` + key + `,"x5u":"` + "\xff" + `"}]}`:             0,
		`{"keys":[` + key + `,"more":{"a":[1,{"b":1}]}}]}`:           1,
	} {
		if n, err := auth.ParseKeySet([]byte(set)); n != want {
			t.Errorf("%d keys instead of %d of %s: %v", n, want, set, err)
		}
	}
}
