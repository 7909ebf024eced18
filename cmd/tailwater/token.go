package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/tailwater/tailwater/bridge/auth"
	"github.com/tailwater/tailwater/configs"
)

// tokenCommand makes a token for a first try, as an identity provider would. In production an identity provider signs callers in.
type tokenCommand struct {
	Sub       string            `required:"" placeholder:"NAME" help:"The caller's name."`
	AllowSub  []string          `placeholder:"SUBJECT" help:"Subjects or filters that may be read; can be repeated, or separated by commas (none)."`
	DenySub   []string          `placeholder:"SUBJECT" help:"Subjects or filters that may not be read, even if they are allowed (none)."`
	AllowPub  []string          `placeholder:"SUBJECT" help:"Subjects or filters that may be published to (none)."`
	DenyPub   []string          `placeholder:"SUBJECT" help:"Subjects or filters that may not be published to, even if they are allowed (none)."`
	Wildcards bool              `help:"Allow reading with filters within --allow-sub."`
	Expires   time.Duration     `default:"1h" placeholder:"TIME" help:"How long the token is valid, such as 10m or 24h (${default})."`
	ID        string            `name:"jti" placeholder:"ID" help:"The token's id, by which it can be revoked (a random one)."`
	Claim     map[string]string `placeholder:"NAME=VALUE" help:"A further claim, for routes with {claim.NAME}."`
}

// Run prints only the token.
func (c *tokenCommand) Run(settings *configs.Settings, out output) error {
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
