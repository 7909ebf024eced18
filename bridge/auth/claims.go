package auth

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/golang-jwt/jwt/v5"

	"github.com/tailwater/tailwater/bridge"
)

// Permissions is the claim `nats`: what the caller may read and write, in the shape of NATS's own permissions. An absent list
// allows nothing, or denies nothing.
type Permissions struct {
	Sub       Filters `json:"sub,omitzero"`
	Pub       Filters `json:"pub,omitzero"`
	Wildcards bool    `json:"wildcards,omitempty"` // whether filters may be read, within Sub
}

// Filters are NATS subjects and filters.
type Filters struct {
	Allow []string `json:"allow,omitempty"`
	Deny  []string `json:"deny,omitempty"` // beats every permission
}

// callerOf returns the caller that the claims name.
func callerOf(claims jwt.MapClaims) (bridge.Caller, error) {
	name, isText := claims["sub"].(string)
	switch {
	case claims["sub"] != nil && !isText:
		return bridge.Caller{}, errors.New("the token's sub is not a string")
	case name == "":
		return bridge.Caller{}, errors.New("the token has no sub; it must name the caller")
	}
	token, isText := claims["jti"].(string)
	if claims["jti"] != nil && !isText {
		return bridge.Caller{}, errors.New("the token's jti is not a string")
	}
	expires, _ := claims.GetExpirationTime() // the parser has checked that there is one
	grant, err := grantOf(claims)
	if err != nil {
		return bridge.Caller{}, fmt.Errorf("the token's claim nats %w", err)
	}
	caller := bridge.Caller{Name: name, Token: token, Grant: grant, Until: expires.Time, Claims: map[string]string{}}
	for claim, value := range claims {
		if text, isText := value.(string); isText {
			caller.Claims[claim] = text
		}
	}
	return caller, nil
}

// errForm means that the claim `nats` has another shape than Permissions.
var errForm = errors.New(`is not of the form {"sub":{"allow":["chat.>"],"deny":[]},"pub":{"allow":[]},"wildcards":false}, where every part is optional and nothing else is allowed`)

// natsClaim is the name of the claim that holds Permissions.
const natsClaim = "nats"

// grantOf returns the grant in the claim `nats`. It refuses unknown names: a misspelt deny would deny nothing.
func grantOf(claims jwt.MapClaims) (bridge.Grant, error) {
	for name := range claims {
		if name != natsClaim && strings.EqualFold(name, natsClaim) {
			return bridge.Grant{}, errors.New("must be written in lower case; in another case it would be ignored, with everything it denies")
		}
	}
	text, _ := json.Marshal(claims[natsClaim]) // it was decoded from JSON
	var p Permissions
	if err := decode(text, &p, json.RejectUnknownMembers(true)); err != nil {
		return bridge.Grant{}, errForm
	}
	return p.grant()
}

// grant returns the permissions as a grant.
func (p Permissions) grant() (grant bridge.Grant, err error) {
	grant.Wildcards = p.Wildcards
	for _, list := range []struct {
		to      *[]bridge.Subject
		filters []string
		allows  bool
	}{
		{&grant.Subscribe, p.Sub.Allow, true},
		{&grant.Publish, p.Pub.Allow, true},
		{&grant.DenySubscribe, p.Sub.Deny, false},
		{&grant.DenyPublish, p.Pub.Deny, false},
	} {
		for _, text := range list.filters {
			filter, err := bridge.ParseSubject(text)
			if err != nil {
				return bridge.Grant{}, fmt.Errorf("contains an invalid filter: %w", err)
			}
			if list.allows && filter.Reserved() {
				return bridge.Grant{}, fmt.Errorf("allows %q, which matches subjects of NATS itself ($…, _INBOX) or everything; start it with a word of your own, like chat.>", text)
			}
			*list.to = append(*list.to, filter)
		}
	}
	return grant, nil
}

// Claims are the claims of a token that Sign makes.
type Claims struct {
	Subject  string // the caller's name
	ID       string // `jti`, by which the token can be revoked
	Issuer   string
	Audience string
	Expires  time.Time
	NATS     Permissions
	More     map[string]string // for routes with {claim.…}
}

// Sign returns a token signed with HS256. It is for development, and for programs that sign in their own callers.
func Sign(secret string, c Claims) (string, error) {
	if len(secret) < MinSecret {
		return "", errSecret("the secret", secret)
	}
	if _, err := c.NATS.grant(); err != nil {
		return "", fmt.Errorf("the claim nats %w", err)
	}
	claims := jwt.MapClaims{}
	for name, value := range c.More {
		claims[name] = value
	}
	for name, value := range map[string]string{"sub": c.Subject, "jti": c.ID, "iss": c.Issuer, "aud": c.Audience} {
		if value != "" {
			claims[name] = value
		}
	}
	claims["iat"], claims["exp"], claims["nats"] = time.Now().Unix(), c.Expires.Unix(), c.NATS
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(secret))
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return token, nil
}
