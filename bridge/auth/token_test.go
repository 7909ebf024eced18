package auth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/golang-jwt/jwt/v5"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/auth"
	"github.com/tailwater/tailwater/bridge/bridgetest"
)

func TestGoodToken(t *testing.T) {
	a := open(t, auth.Config{Secret: secret, Issuer: "https://id.example.com", Audience: "tailwater"})
	expires := time.Now().Add(time.Hour).Truncate(time.Second)
	caller := good(t, a, sign(t, jwt.SigningMethodHS256, []byte(secret), claims(map[string]any{
		"exp": expires.Unix(), "nbf": time.Now().Unix(), "team": "blue", "age": 7,
		"nats": map[string]any{
			"sub":       map[string]any{"allow": []string{"chat.>", "news"}, "deny": []string{"*.secret", ">"}},
			"pub":       map[string]any{"allow": []string{"chat.a"}, "deny": []string{"chat.b"}},
			"wildcards": true,
		},
	})))
	grant := caller.Grant
	if caller.Name != "alice" || caller.Token != "t1" || !caller.Until.Equal(expires) || caller.Claims["team"] != "blue" || caller.Claims["sub"] != "alice" {
		t.Errorf("%+v", caller)
	}
	if _, has := caller.Claims["age"]; has {
		t.Error("a number became a string")
	}
	for _, list := range []struct {
		got  []bridge.Subject
		want string
	}{{grant.Subscribe, "chat.> news"}, {grant.DenySubscribe, "*.secret >"}, {grant.Publish, "chat.a"}, {grant.DenyPublish, "chat.b"}} {
		var got []string
		for _, s := range list.got {
			got = append(got, string(s))
		}
		if !slices.Equal(got, strings.Fields(list.want)) {
			t.Errorf("%q instead of %s", got, list.want)
		}
	}
	if !grant.Wildcards {
		t.Error("no wildcards")
	}
	// What is not asked for may be anything.
	good(t, open(t, auth.Config{Secret: secret}), sign(t, jwt.SigningMethodHS256, []byte(secret), claims(map[string]any{"iss": 7, "aud": 7, "nbf": 0})))
	// A signer whose clock is a little ahead, and the shortest secret.
	shortest := secret[:auth.MinSecret]
	good(t, open(t, auth.Config{Secret: shortest}), sign(t, jwt.SigningMethodHS256, []byte(shortest), claims(map[string]any{"nbf": time.Now().Add(3 * time.Second).Unix()})))
	for _, method := range []jwt.SigningMethod{jwt.SigningMethodHS384, jwt.SigningMethodHS512} {
		good(t, a, sign(t, method, []byte(secret), claims(nil)))
	}
}

// What a token does not say is not granted.
func TestEmptyPermissions(t *testing.T) {
	a := open(t, auth.Config{Secret: secret})
	for _, nats := range []any{nil, map[string]any{}, map[string]any{"sub": map[string]any{}}, map[string]any{"pub": nil, "wildcards": false}} {
		grant := good(t, a, sign(t, jwt.SigningMethodHS256, []byte(secret), claims(map[string]any{"nats": nats}))).Grant
		if len(grant.Subscribe)+len(grant.Publish)+len(grant.DenyPublish)+len(grant.DenySubscribe) > 0 || grant.Wildcards {
			t.Errorf("%v grants %+v", nats, grant)
		}
	}
}

func TestBadTokens(t *testing.T) {
	a := open(t, auth.Config{Secret: secret, Issuer: "https://id.example.com", Audience: "tailwater"})
	with := func(name string, value any) string {
		return sign(t, jwt.SigningMethodHS256, []byte(secret), claims(map[string]any{name: value}))
	}
	allow := func(filters ...string) string {
		return with("nats", map[string]any{"sub": map[string]any{"allow": filters}})
	}
	whole := sign(t, jwt.SigningMethodHS256, []byte(secret), claims(nil))
	parts := strings.Split(whole, ".")
	encode := base64.RawURLEncoding.EncodeToString
	for name, test := range map[string]struct{ token, says string }{
		"nothing":               {"", "is not a JWT"},
		"a word":                {"swordfish", "is not a JWT"},
		"dots":                  {"..", "is not a JWT"},
		"a megabyte of dots":    {strings.Repeat(".", 1<<20), "at most 8192"},
		"8 KiB of dots":         {strings.Repeat(".", 8<<10), "is not a JWT"},
		"no JSON":               {encode([]byte("{")) + "." + parts[1] + "." + parts[2], "is not a JWT"},
		"padding":               {parts[0] + "=." + parts[1] + "." + parts[2], "is not a JWT"},
		"alg none":              {sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims(nil)), "alg is none"},
		"alg None":              {encode([]byte(`{"alg":"None"}`)) + "." + parts[1] + ".", "alg is unknown"},
		"no alg":                {encode([]byte(`{"typ":"JWT"}`)) + "." + parts[1] + "." + parts[2], "alg is unknown"},
		"no signature":          {parts[0] + "." + parts[1] + ".", "signature does not match"},
		"another secret":        {sign(t, jwt.SigningMethodHS256, []byte(secret+"x"), claims(nil)), "signature does not match"},
		"other claims":          {parts[0] + "." + strings.Split(with("sub", "bob"), ".")[1] + "." + parts[2], "signature does not match"},
		"RS256":                 {sign(t, jwt.SigningMethodRS256, pairs()["RS256"].private, claims(nil)), "alg is RS256, which"},
		"critical header":       {sign(t, jwt.SigningMethodHS256, []byte(secret), claims(nil), "crit", []string{"b64"}), "crit header"},
		"kid that is no string": {sign(t, jwt.SigningMethodHS256, []byte(secret), claims(nil), "kid", 7), "kid is not a string"},
		"expired":               {with("exp", time.Now().Add(-time.Minute).Unix()), "has expired (20"},
		"expired just now":      {with("exp", time.Now().Add(-time.Second).Unix()), "has expired (20"},
		"no exp":                {with("exp", nil), "has no exp"},
		"exp of text":           {with("exp", "tomorrow"), "exp is not a number"},
		"exp of a list":         {with("exp", []int{1}), "exp is not a number"},
		"exp of nothing":        {with("exp", 0), "exp is 0"},
		"nbf of text":           {with("nbf", "yesterday"), "nbf is not a number"},
		"nbf of truth":          {with("nbf", true), "nbf is not a number"},
		"iss of a number":       {with("iss", 7), "iss is not a string"},
		"iss of a list":         {with("iss", []string{"https://id.example.com"}), "iss is not a string"},
		"iss of nothing":        {with("iss", ""), "iss is not the issuer"},
		"aud of nobody":         {with("aud", []string{}), "aud does not name this bridge"},
		"aud of nothing":        {with("aud", ""), "aud does not name this bridge"},
		"aud of a number":       {with("aud", 7), "aud is neither a string nor a list"},
		"aud of numbers":        {with("aud", []any{"tailwater", 7}), "aud is neither a string nor a list"},
		"aud of an object":      {with("aud", map[string]any{"tailwater": true}), "aud is neither a string nor a list"},
		"aud of others":         {with("aud", []string{"a", "b"}), "aud does not name this bridge"},
		"sub of a number":       {with("sub", 7), "sub is not a string"},
		"sub of a list":         {with("sub", []string{"alice"}), "sub is not a string"},
		"not yet valid":         {with("nbf", time.Now().Add(time.Minute).Unix()), "not valid yet: its nbf is in the future (20"},
		"wrong issuer":          {with("iss", "https://id.example.com.evil.com"), "iss is not the issuer"},
		"no issuer":             {with("iss", nil), "iss is not the issuer"},
		"wrong audience":        {with("aud", "tailwater2"), "is for another audience"},
		"no audience":           {with("aud", nil), "is for another audience"},
		"no sub":                {with("sub", nil), "has no sub"},
		"empty sub":             {with("sub", ""), "has no sub"},
		"jti of a number":       {with("jti", 7), "jti is not a string"},
		"grants a list":         {with("nats", []string{"chat.>"}), "is not of the form"},
		"grants a filter":       {with("nats", map[string]any{"sub": map[string]any{"allow": "chat.>"}}), "is not of the form"},
		"misspelt deny":         {with("nats", map[string]any{"sub": map[string]any{"denied": []string{"chat.>"}}}), "nothing else is allowed"},
		"misspelt sub":          {with("nats", map[string]any{"subscribe": map[string]any{}}), "nothing else is allowed"},
		"no subject":            {allow("chat..a"), "not a subject"},
		"empty subject":         {allow(""), "not a subject"},
		"everything":            {allow(">"), "matches subjects of NATS itself"},
		"first token":           {allow("chat.>", "*.a"), "matches subjects of NATS itself"},
		"$SYS":                  {allow("$SYS.>"), "matches subjects of NATS itself"},
		"$KV":                   {allow("$KV.config.>"), "matches subjects of NATS itself"},
		"_INBOX":                {allow("_INBOX.>"), "matches subjects of NATS itself"},
		"_INBOX to write":       {with("nats", map[string]any{"pub": map[string]any{"allow": []string{"_INBOX.x"}}}), "matches subjects of NATS itself"},
		"no subject to deny":    {with("nats", map[string]any{"pub": map[string]any{"deny": []string{"a b"}}}), "not a subject"},
	} {
		t.Run(name, func(t *testing.T) { bad(t, a, test.token, test.says) })
	}
}

// A token is spelled in one way: bits that stand for nothing in base64 are not free, and line ends are none of it.
func TestTokenHasOneSpelling(t *testing.T) {
	a := open(t, auth.Config{Secret: secret})
	token := sign(t, jwt.SigningMethodHS256, []byte(secret), claims(nil))
	for _, last := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
		if changed := token[:len(token)-1] + string(last); changed != token {
			bad(t, a, changed, "token")
		}
	}
	for _, end := range []string{"\n", "\r", "\r\n"} {
		for _, at := range []int{0, 5, strings.Index(token, "."), len(token) - 1, len(token)} {
			bad(t, a, token[:at]+end+token[at:], "is not a JWT")
		}
	}
}

// A key is good for its own algorithm alone: a public key is no secret.
func TestAlgorithmIsPinnedByTheKey(t *testing.T) {
	for name, p := range pairs() {
		a := open(t, auth.Config{PublicKeys: anyKeys(p)})
		good(t, a, sign(t, p.method, p.private, claims(nil)))
		der, err := x509.MarshalPKIXPublicKey(p.public())
		if err != nil {
			t.Fatal(err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		for _, public := range [][]byte{der, text, []byte(strings.TrimSpace(string(text)))} {
			bad(t, a, sign(t, jwt.SigningMethodHS256, public, claims(nil)), "alg is HS256")
		}
		bad(t, a, sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims(nil)), "alg is none")
		for other, q := range pairs() {
			if other != name && !(strings.HasPrefix(other, "RS") && strings.HasPrefix(name, "RS")) {
				token := sign(t, q.method, q.private, claims(nil))
				if _, err := a.Token(t.Context(), token); !errors.Is(err, bridge.ErrToken) {
					t.Errorf("a token by %s is good for %s: %v", other, name, err)
				}
			}
		}
	}
	ps256 := sign(t, jwt.SigningMethodPS256, pairs()["RS256"].private, claims(nil))
	bad(t, open(t, auth.Config{PublicKeys: anyKeys(pairs()["RS256"])}), ps256, "alg is PS256")
}

// While keys are changed, tokens of the old and the new one are good.
func TestSeveralPublicKeys(t *testing.T) {
	a := open(t, auth.Config{PublicKeys: anyKeys(pairs()["other RS256"], pairs()["RS256"], pairs()["EdDSA"])})
	for _, name := range []string{"RS256", "other RS256", "EdDSA"} {
		good(t, a, sign(t, pairs()[name].method, pairs()[name].private, claims(nil)))
	}
	bad(t, a, sign(t, jwt.SigningMethodES256, pairs()["ES256"].private, claims(nil)), "alg is ES256")
}

func anyKeys(all ...pair) (keys []crypto.PublicKey) {
	for _, p := range all {
		keys = append(keys, p.public())
	}
	return keys
}

func TestKeysThatAreRefused(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Skip("this Go makes no such key:", err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	hub := bridge.NewHub(bridgetest.NewSource(), 0, bridge.DefaultMemory)
	defer hub.Close()
	for _, test := range []struct {
		config auth.Config
		says   string
	}{
		{auth.Config{}, "needs at least 32"},
		{auth.Config{Secret: "swordfish"}, "has 9 bytes; it needs at least 32"},
		{auth.Config{Secret: secret, TicketSecret: "swordfish"}, "has 9 bytes; it needs at least 32"},
		{auth.Config{PublicKeys: []crypto.PublicKey{weak.Public()}}, "1024 bits is too short"},
		{auth.Config{PublicKeys: []crypto.PublicKey{p224.Public()}}, "cannot sign tokens"},
		{auth.Config{PublicKeys: []crypto.PublicKey{[]byte(secret)}}, "cannot sign tokens"},
		{auth.Config{PublicKeys: []crypto.PublicKey{pairs()["RS256"].private}}, "cannot sign tokens"},
	} {
		if _, err := auth.Open(test.config, hub, func() {}); err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "swordfish") {
			t.Errorf("%v instead of %q", err, test.says)
		}
	}
}

// Before it is known what is revoked, no token is good; that will pass.
func TestNoVerdictBeforeRevocationsAreKnown(t *testing.T) {
	source := bridgetest.NewSource()
	source.Leave()
	a := openOver(t, auth.Config{Secret: secret}, source, func() {})
	if _, err := a.Token(t.Context(), sign(t, jwt.SigningMethodHS256, []byte(secret), claims(nil))); !errors.Is(err, bridge.ErrNoVerdict) || errors.Is(err, bridge.ErrToken) {
		t.Error(err)
	}
	bad(t, a, "swordfish", "is not a JWT")
}

func TestSign(t *testing.T) {
	a := open(t, auth.Config{Secret: secret, Issuer: "i", Audience: "a"})
	token, err := auth.Sign(secret, auth.Claims{
		Subject: "alice", ID: "x", Issuer: "i", Audience: "a", Expires: time.Now().Add(time.Minute), More: map[string]string{"team": "blue", "sub": "mallory"},
		NATS: auth.Permissions{Sub: auth.Filters{Allow: []string{"chat.>"}}, Wildcards: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	caller := good(t, a, token)
	if caller.Name != "alice" || caller.Token != "x" || caller.Claims["team"] != "blue" || caller.Grant.CheckSubscribe("chat.*") != nil {
		t.Errorf("%+v", caller)
	}
	for _, c := range []auth.Claims{{NATS: auth.Permissions{Pub: auth.Filters{Allow: []string{">"}}}}, {NATS: auth.Permissions{Sub: auth.Filters{Deny: []string{".."}}}}} {
		if _, err := auth.Sign(secret, c); err == nil {
			t.Errorf("%+v was signed", c)
		}
	}
	if _, err := auth.Sign("short", auth.Claims{}); err == nil {
		t.Error("a short secret signs")
	}
}

// No text is a token but one that was signed, and what is said about it is of our words, not of its.
func FuzzToken(f *testing.F) {
	a := open(f, auth.Config{Secret: secret})
	token := sign(f, jwt.SigningMethodHS256, []byte(secret), claims(map[string]any{"exp": 99999999999}))
	parts := strings.Split(token, ".")
	for _, text := range []string{
		"", ".", "..", "...", token[1:], token + ".", token + "=", parts[0] + ".." + parts[2], parts[1] + "." + parts[0] + "." + parts[2], "Bearer " + token, token + "\n", strings.Repeat("e30.", 100), "e30.e30.e30", "bnVsbA.bnVsbA.",
		sign(f, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims(nil)), sign(f, jwt.SigningMethodHS256, []byte(secret), claims(map[string]any{"exp": 1})),
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if text == token {
			return
		}
		caller, err := a.Token(t.Context(), text)
		if !errors.Is(err, bridge.ErrToken) || !caller.Anonymous() {
			t.Fatalf("%q is of %+v: %v", text, caller, err)
		}
		isForeign := func(r rune) bool { return r < ' ' || r > '~' }
		if said := err.Error(); len(said) > 250 || strings.ContainsFunc(said, isForeign) || len(text) > 20 && strings.Contains(said, text) {
			t.Errorf("of %q is said %q", text, said)
		}
	})
}

// Whatever a token says, it gives no more than what the grammar of subjects has, and nothing of NATS itself; and it means to a decoder
// that is strict by itself what it means here.
func FuzzClaims(f *testing.F) {
	a := open(f, auth.Config{Secret: secret})
	for _, seed := range []string{
		`{"sub":{"allow":["chat.>"],"deny":["chat.a"]},"wildcards":true}`, `{"pub":{"allow":["$SYS.>",">","_INBOX.x"]}}`, `[]`, `null`, `{"SUB":{"ALLOW":["a"]}}`, `{"sub":{"allow":["a","a.*.b","*"]}}`,
	} {
		f.Add(`{"sub":"alice","exp":99999999999,"nats":` + seed + `}`)
	}
	for _, more := range []string{
		`"nats":{"sub":{"allow":["chat.>"],"deny":["chat.a"],"deny":[]}}`, `"nats":{"sub":{"allow":["chat.>"],"Deny":["chat.a"]}}`, `"nats":{},"nats":{"wildcards":true}`,
		`"nats":{"sub":{"allow":["chat.>"]},"\u0073ub":{}}`, `"nats":{"wildcard\u017f":true}`, `"NATS":{}`, `"x":[{"a":1,"a":2}]`, `"x":{"a":{"b":[{}]}},"y":"\ud800"`,
	} {
		f.Add(`{"sub":"alice","exp":99999999999,` + more + `}`)
	}
	f.Add(`{"sub":"alice","exp":1,"exp":99999999999}`)
	f.Add(`{"sub":7,"exp":1e300}`)
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"}`))
	f.Fuzz(func(t *testing.T, payload string) {
		text := header + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
		signature, err := jwt.SigningMethodHS256.Sign(text, []byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		caller, err := a.Token(t.Context(), text+"."+base64.RawURLEncoding.EncodeToString(signature))
		if err != nil {
			if !errors.Is(err, bridge.ErrToken) || !caller.Anonymous() {
				t.Fatalf("%+v, %v", caller, err)
			}
			return
		}
		if caller.Anonymous() || caller.Until.Before(time.Now()) {
			t.Fatalf("%+v", caller)
		}
		for _, filter := range slices.Concat(caller.Grant.Subscribe, caller.Grant.Publish) {
			if _, err := bridge.ParseSubject(string(filter)); err != nil || filter.Reserved() {
				t.Errorf("it grants %q", filter)
			}
		}
		checkStrictly(t, payload, caller)
	})
}

// checkStrictly compares a caller with what a decoder that takes exact names alone, and each of them once, makes of its claims.
func checkStrictly(t *testing.T, payload string, caller bridge.Caller) {
	t.Helper()
	type filters struct {
		Allow []string `json:"allow"`
		Deny  []string `json:"deny"`
	}
	var claims map[string]jsontext.Value
	var permissions struct {
		Sub       filters `json:"sub"`
		Pub       filters `json:"pub"`
		Wildcards bool    `json:"wildcards"`
	}
	var name string
	var expires float64
	err := jsonv2.Unmarshal([]byte(payload), &claims)
	if err == nil {
		err = errors.Join(jsonv2.Unmarshal(claims["sub"], &name), jsonv2.Unmarshal(claims["exp"], &expires))
	}
	if nats := claims["nats"]; err == nil && nats != nil {
		err = jsonv2.Unmarshal(nats, &permissions, jsonv2.RejectUnknownMembers(true))
	}
	if err != nil {
		t.Fatalf("%q was taken, and is ambiguous: %v", payload, err)
	}
	grant := caller.Grant
	if name != caller.Name || int64(expires) != caller.Until.Unix() || permissions.Wildcards != grant.Wildcards {
		t.Errorf("%q gives %+v", payload, caller)
	}
	for _, list := range []struct {
		got  []bridge.Subject
		want []string
	}{
		{grant.Subscribe, permissions.Sub.Allow},
		{grant.DenySubscribe, permissions.Sub.Deny},
		{grant.Publish, permissions.Pub.Allow},
		{grant.DenyPublish, permissions.Pub.Deny},
	} {
		if !slices.EqualFunc(list.got, list.want, func(a bridge.Subject, b string) bool { return string(a) == b }) {
			t.Errorf("%q gives %q instead of %q", payload, list.got, list.want)
		}
	}
}
