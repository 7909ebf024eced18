package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/tailwater/tailwater/bridge/auth"
)

// tokenCommand makes a token for a first try, as an identity provider would. In production an identity provider signs callers in.
type tokenCommand struct {
	Sub       string            `long:"sub" required:"1" value-name:"NAME" description:"The caller's name."`
	AllowSub  list              `long:"allow-sub" value-name:"SUBJECT" description:"Subjects or filters that may be read; can be repeated, or separated by commas (none)."`
	DenySub   list              `long:"deny-sub" value-name:"SUBJECT" description:"Subjects or filters that may not be read, even if they are allowed (none)."`
	AllowPub  list              `long:"allow-pub" value-name:"SUBJECT" description:"Subjects or filters that may be published to (none)."`
	DenyPub   list              `long:"deny-pub" value-name:"SUBJECT" description:"Subjects or filters that may not be published to, even if they are allowed (none)."`
	Wildcards bool              `long:"wildcards" description:"Allow reading with filters within --allow-sub."`
	Expires   time.Duration     `long:"expires" default:"1h" value-name:"TIME" description:"How long the token is valid, such as 10m or 24h."`
	ID        string            `long:"jti" value-name:"ID" description:"The token's id, by which it can be revoked (a random one)."`
	Claim     map[string]string `long:"claim" value-name:"NAME=VALUE" key-value-delimiter:"=" description:"A further claim, for routes with {claim.NAME}."`
}

// Run prints only the token.
func (c *tokenCommand) Run(_ context.Context, global *cli, out output) error {
	settings, err := global.settings()
	if err != nil {
		return err
	}
	secret := settings.Auth.JWTSecret
	switch {
	case secret.IsZero() && settings.Auth.SignsIn():
		return usageError{errors.New("tailwater token: the private key for tokens is not here, only public keys; for development, set TAILWATER_AUTH_JWT_SECRET instead of AUTH_JWT_PUBLIC_KEY or AUTH_JWKS_URL")}
	case secret.IsZero():
		return usageError{errors.New("tailwater token: there is no secret to sign with; make one, and give it also to the bridge:\n  export TAILWATER_AUTH_JWT_SECRET=\"$(openssl rand -base64 32)\"")}
	case c.Expires <= 0:
		return usageError{fmt.Errorf("tailwater token: --expires=%v is not in the future; write 1h or the like", c.Expires)}
	case c.Expires > settings.Auth.MaxLife:
		return usageError{fmt.Errorf("tailwater token: --expires=%v is longer than TAILWATER_AUTH_MAX_LIFE=%v allows: the bridge would refuse the token", c.Expires, settings.Auth.MaxLife)}
	}
	id := c.ID
	if id == "" {
		id = rand.Text()
	}
	token, err := auth.Sign(secret.Reveal(), auth.Claims{
		Subject: c.Sub, ID: id, Issuer: settings.Auth.Issuer, Audience: settings.Auth.Audience, Expires: time.Now().Add(c.Expires),
		NATS: auth.Permissions{
			Sub:       auth.Filters{Allow: c.AllowSub, Deny: c.DenySub},
			Pub:       auth.Filters{Allow: c.AllowPub, Deny: c.DenyPub},
			Wildcards: c.Wildcards,
		},
		More: c.Claim,
	})
	if err != nil {
		return usageError{fmt.Errorf("tailwater token: %w", err)}
	}
	fmt.Fprintln(out.out, token)
	return nil
}
