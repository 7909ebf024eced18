package check

import (
	"context"
	"fmt"
	"strings"

	"github.com/dustin/go-humanize/english"

	"github.com/tailwater/tailwater/bridge/auth"
	"github.com/tailwater/tailwater/bridge/httpapi"
	"github.com/tailwater/tailwater/bridge/source"
	"github.com/tailwater/tailwater/cmd/tailwater/node"
	"github.com/tailwater/tailwater/configs"
)

// signIn prints how callers sign in. The error means that no token could be accepted now.
func (r report) signIn(ctx context.Context, settings *configs.Settings) error {
	s := settings.Auth
	if !s.SignsIn() {
		r.row("tokens", "not accepted: all callers are anonymous")
		return nil
	}
	r.row("tokens", "%s%s", keysOf(s), demands(s))
	err := r.keySet(ctx, s)
	ways := []string{"Authorization: Bearer"}
	if s.Cookie != "" {
		ways = append(ways, "the cookie "+cookieName(settings.HTTP, string(s.Cookie)))
	}
	if !s.TicketSecret.IsZero() {
		ways = append(ways, "?ticket= from POST /session")
	}
	r.row("", "sent as %s", strings.Join(ways, ", or "))
	if s.Cookie != "" && s.TicketSecret.IsZero() && s.JWTSecret.IsZero() {
		r.row("", "POST /session has no secret to seal the cookie, so a program of yours has to set the cookie; or set TAILWATER_AUTH_TICKET_SECRET")
	}
	r.row("", "revoked by keys of the bucket %s, such as jti. and the token's jti:", auth.RevokedBucket)
	for _, command := range revoking(settings) {
		r.row("", "  %s", command)
	}
	if len(ways) == 1 {
		r.row("", "! EventSource cannot send headers; set TAILWATER_AUTH_COOKIE for pages of the same site, or TAILWATER_AUTH_TICKET_SECRET")
	}
	return err
}

// cookieName returns the name of the cookie, which depends on whether browsers use TLS.
func cookieName(s configs.HTTP, name string) string {
	secure := httpapi.SecureCookie(name)
	switch {
	case name == secure:
		return name
	case !s.TLS.IsZero():
		return secure
	case len(s.TrustedProxies) > 0:
		return fmt.Sprintf("%s (%s if a proxy says https by X-Forwarded-Proto)", name, secure)
	}
	return name
}

// revoked prints the state of the bucket of revoked tokens, if NATS was asked. The error means that no token could be checked.
func (r report) revoked(bucket *source.Bucket) error {
	switch {
	case bucket == nil:
	case !bucket.Exists:
		r.row("revoked tokens", "! there is no bucket %s: create it, as shown above, before you revoke a token", auth.RevokedBucket)
	case bucket.Problem == "":
		r.row("revoked tokens", "in the bucket %s", auth.RevokedBucket)
	default:
		r.row("revoked tokens", "! %s", bucket.Problem)
		r.row("", "  fix: %s", bucket.Remedy)
	}
	if bucket == nil || !bucket.Unreadable {
		return nil
	}
	return fmt.Errorf("%s; %s", bucket.Problem, bucket.Remedy)
}

// revoking returns the commands that create the bucket, unless the bridge does that, and revoke a token.
func revoking(settings *configs.Settings) []string {
	if admin := node.AdminContext(settings); admin != "" {
		return []string{source.Command("", "--context", admin, "kv", "put", auth.RevokedBucket, "jti.7f3a", "")}
	}
	api := ""
	if !settings.Embedded() {
		api, _ = node.JetStreamAPI(settings.NATS) // an error is reported where NATS is asked
	}
	return []string{
		source.Command(api, "kv", "add", auth.RevokedBucket),
		source.Command(api, "kv", "put", auth.RevokedBucket, "jti.7f3a", ""),
	}
}

// keySet reads the key set as serve would. serve starts without it, because the provider may be unreachable for a while.
func (r report) keySet(ctx context.Context, s configs.Auth) error {
	if s.JwksURL == "" {
		return nil
	}
	count, err := auth.KeySet(ctx, string(s.JwksURL), s.JwksProxy.URL)
	if err == nil {
		r.row("", "which holds %s now", english.Plural(count, "key", ""))
		return nil
	}
	r.row("", "! %v", err)
	r.row("", "  fix: set TAILWATER_AUTH_JWKS_URL to the jwks_uri in the provider's /.well-known/openid-configuration, and make sure that it")
	r.row("", "  can be reached from here, if necessary through TAILWATER_AUTH_JWKS_PROXY; serve starts without it, and accepts no token until it has been read")
	return fmt.Errorf("the key set of TAILWATER_AUTH_JWKS_URL cannot be used: %w", err)
}

func keysOf(s configs.Auth) string {
	switch {
	case s.JwksURL != "":
		return "signed by a key of " + string(s.JwksURL)
	case len(s.JWTPublicKey.Keys) > 0:
		return "verified by " + english.Plural(len(s.JWTPublicKey.Keys), "public key", "")
	}
	return "signed with the secret of this bridge"
}

func demands(s configs.Auth) string {
	text := fmt.Sprintf(", valid for %v at most", s.MaxLife)
	if s.Issuer != "" {
		text += fmt.Sprintf(", from the issuer %s", s.Issuer)
	}
	if s.Audience != "" {
		text += fmt.Sprintf(", for the audience %s", s.Audience)
	}
	return text
}
