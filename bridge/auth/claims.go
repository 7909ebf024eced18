package auth

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/tailwater/tailwater/bridge"
)

// Permissions is the claim `nats`: what its caller may do, in the shape of NATS's own permissions. Absent lists mean
// nothing is allowed, and nothing denied.
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

// callerOf gives the caller whom claims name, if they can be understood.
func callerOf(claims jwt.MapClaims) (bridge.Caller, error) {
	name, isText := claims["sub"].(string)
	switch {
	case claims["sub"] != nil && !isText:
		return bridge.Caller{}, errors.New("the token's sub is no string")
	case name == "":
		return bridge.Caller{}, errors.New("the token has no sub, which names the caller")
	}
	token, isText := claims["jti"].(string)
	if _, has := claims["jti"]; has && !isText {
		return bridge.Caller{}, errors.New("the token's jti is no string")
	}
	expires, err := claims.GetExpirationTime()
	if err != nil || expires == nil { // the parser has seen to that
		return bridge.Caller{}, errors.New("the token has no exp; tokens that never expire are not taken")
	}
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

// errForm: the claim `nats` is not understood.
var errForm = errors.New(`is not of the form {"sub":{"allow":["chat.>"],"deny":[]},"pub":{"allow":[]},"wildcards":false}, where all can be left out and nothing added`)

// natsClaim is the claim that says what a caller may do.
const natsClaim = "nats"

// grantOf reads the claim `nats`. What it does not understand it refuses: a deny that is misspelt would deny nothing.
func grantOf(claims jwt.MapClaims) (bridge.Grant, error) {
	for name := range claims {
		if name != natsClaim && strings.EqualFold(name, natsClaim) {
			return bridge.Grant{}, errors.New("is written in small letters; with others it would be passed over, with what it denies")
		}
	}
	p, ok := permissionsOf(claims[natsClaim])
	if !ok {
		return bridge.Grant{}, errForm
	}
	return p.grant()
}

// permissionsOf reads Permissions from what encoding/json makes of any object: its names are exact, where those of a struct's fields
// are not. null is as good as absent.
func permissionsOf(value any) (p Permissions, ok bool) {
	ok = eachMember(value, func(name string, value any) bool {
		switch name {
		case "sub":
			return p.Sub.read(value)
		case "pub":
			return p.Pub.read(value)
		case "wildcards":
			var isBool bool
			p.Wildcards, isBool = value.(bool)
			return isBool || value == nil
		}
		return false
	})
	return p, ok
}

func (f *Filters) read(value any) bool {
	return eachMember(value, func(name string, value any) bool {
		switch name {
		case "allow":
			return readTexts(&f.Allow, value)
		case "deny":
			return readTexts(&f.Deny, value)
		}
		return false
	})
}

// eachMember calls read for each member of an object, until read does not understand one. It reports whether all was understood.
func eachMember(value any, read func(name string, value any) bool) bool {
	object, isObject := value.(map[string]any)
	for name, value := range object {
		if !read(name, value) {
			return false
		}
	}
	return isObject || value == nil
}

func readTexts(to *[]string, value any) bool {
	list, isList := value.([]any)
	for _, entry := range list {
		text, isText := entry.(string)
		if !isText {
			return false
		}
		*to = append(*to, text)
	}
	return isList || value == nil
}

// grant gives what the permissions allow.
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
				return bridge.Grant{}, fmt.Errorf("holds what is %w", err)
			}
			if list.allows && filter.Reserved() {
				return bridge.Grant{}, fmt.Errorf("allows %q, which reaches subjects of NATS itself ($…, _INBOX) or everything; begin it with a word of your own, like chat.>", text)
			}
			*list.to = append(*list.to, filter)
		}
	}
	return grant, nil
}

// Claims are what Sign puts into a token.
type Claims struct {
	Subject  string // the caller's name
	ID       string // the token's own name, by which it can be revoked
	Issuer   string
	Audience string
	Expires  time.Time
	NATS     Permissions
	More     map[string]string // for routes with {claim.…}
}

// Sign makes a token, of HS256. It is for development, and for programs that sign their callers in themselves.
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
