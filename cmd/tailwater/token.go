package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/tailwater/tailwater/bridge/auth"
	"github.com/tailwater/tailwater/configs"
)

// tokenCommand makes a token as an identity provider would, for a first try. In production somebody else signs callers in.
type tokenCommand struct {
	Sub       string            `required:"" placeholder:"NAME" help:"Whom the token is for: the caller's name."`
	AllowSub  []string          `placeholder:"SUBJECT" help:"Subjects or filters to be read; can be repeated, or separated by commas (none)."`
	DenySub   []string          `placeholder:"SUBJECT" help:"Subjects or filters not to be read, whatever is allowed (none)."`
	AllowPub  []string          `placeholder:"SUBJECT" help:"Subjects or filters to be written (none)."`
	DenyPub   []string          `placeholder:"SUBJECT" help:"Subjects or filters not to be written, whatever is allowed (none)."`
	Wildcards bool              `help:"Filters may be read too, within --allow-sub."`
	Expires   time.Duration     `default:"1h" placeholder:"TIME" help:"How long it is good, such as 10m or 24h (${default})."`
	ID        string            `name:"jti" placeholder:"ID" help:"The token's own name, by which it can be revoked (a random one)."`
	Claim     map[string]string `placeholder:"NAME=VALUE" help:"A further claim, for routes with {claim.NAME}."`
}

// Run prints the token, and nothing else.
func (c *tokenCommand) Run(settings *configs.Settings, out output) error {
	secret := settings.Auth.JWTSecret
	switch {
	case secret.IsZero() && settings.Auth.SignsIn():
		return usageError{errors.New("tailwater token: the bridge takes tokens of another's making, whose private key is not here; for development, set TAILWATER_AUTH_JWT_SECRET instead of AUTH_JWT_PUBLIC_KEY or AUTH_JWKS_URL")}
	case secret.IsZero():
		return usageError{errors.New("tailwater token: there is no secret to sign with; make one, and give it to the bridge as well:\n  export TAILWATER_AUTH_JWT_SECRET=\"$(openssl rand -base64 32)\"")}
	case c.Expires <= 0:
		return usageError{fmt.Errorf("tailwater token: --expires=%v is no time to come; write 1h or the like", c.Expires)}
	case c.Expires > settings.Auth.MaxLife:
		return usageError{fmt.Errorf("tailwater token: --expires=%v is longer than TAILWATER_AUTH_MAX_LIFE=%v allows: no bridge would take the token", c.Expires, settings.Auth.MaxLife)}
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
