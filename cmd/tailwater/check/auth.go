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

// signIn says how callers sign in. The error means that no token could be found good
// now.
func (r report) signIn(ctx context.Context, settings *configs.Settings) error {
	s := settings.Auth
	if !s.SignsIn() {
		r.row("tokens", "none are taken: everybody is anyone")
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
		r.row("", "POST /session has no secret to seal a cookie with, so that a program has to set it; or set TAILWATER_AUTH_TICKET_SECRET")
	}
	r.row("", "revoked by keys of the bucket %s, such as jti. and the jti of one:", auth.RevokedBucket)
	for _, command := range revoking(settings) {
		r.row("", "  %s", command)
	}
	if len(ways) == 1 {
		r.row("", "! EventSource can send no header; set TAILWATER_AUTH_COOKIE for pages of the same site, or TAILWATER_AUTH_TICKET_SECRET")
	}
	return err
}

// cookieName says what the cookie is called, which depends on how browsers come.
func cookieName(s configs.HTTP, name string) string {
	secure := httpapi.SecureCookie(name)
	switch {
	case name == secure:
		return name
	case !s.TLS.IsZero():
		return secure
	case len(s.TrustedProxies) > 0:
		return fmt.Sprintf("%s (%s where a proxy says https by X-Forwarded-Proto)", name, secure)
	}
	return name
}

// revoked says what there is of the bucket of revoked tokens, where NATS was asked. The error means that no token could be checked.
func (r report) revoked(bucket *source.Bucket) error {
	switch {
	case bucket == nil:
	case !bucket.Exists:
		r.row("revoked tokens", "! there is no bucket %s: nothing can be revoked before it is made, as is said above", auth.RevokedBucket)
	case bucket.Problem == "":
		r.row("revoked tokens", "in the bucket %s", auth.RevokedBucket)
	default:
		r.row("revoked tokens", "! %s", bucket.Problem)
		r.row("", "  mend it: %s", bucket.Remedy)
	}
	if bucket == nil || !bucket.Unread {
		return nil
	}
	return fmt.Errorf("%s; %s", bucket.Problem, bucket.Remedy)
}

// revoking returns the commands that make the bucket, once, unless the bridge does, and revoke a token.
func revoking(settings *configs.Settings) []string {
	if admin := node.AdminContext(settings); admin != "" {
		return []string{source.Command("", "--context", admin, "kv", "put", auth.RevokedBucket, "jti.7f3a", "")}
	}
	api := ""
	if !settings.Embedded() {
		api, _ = node.JetStreamAPI(settings.NATS) // what is wrong with it is said where NATS is asked
	}
	return []string{
		source.Command(api, "kv", "add", auth.RevokedBucket),
		source.Command(api, "kv", "put", auth.RevokedBucket, "jti.7f3a", ""),
	}
}

// keySet reads the key set as serve would, which starts without it all the same: the provider may be away for a while.
func (r report) keySet(ctx context.Context, s configs.Auth) error {
	if s.JwksURL == "" {
		return nil
	}
	count, err := auth.KeySet(ctx, string(s.JwksURL), s.JwksProxy.URL)
	if err == nil {
		r.row("", "where there is now %s that tokens can be signed with", english.Plural(count, "key", ""))
		return nil
	}
	r.row("", "! %v", err)
	r.row("", "  mend it: set TAILWATER_AUTH_JWKS_URL to what the provider's /.well-known/openid-configuration calls jwks_uri, and see that it")
	r.row("", "  can be reached from here, through TAILWATER_AUTH_JWKS_PROXY where it must be; serve starts without it, and takes no token until it has been read")
	return fmt.Errorf("the key set of TAILWATER_AUTH_JWKS_URL is of no use: %w", err)
}

func keysOf(s configs.Auth) string {
	switch {
	case s.JwksURL != "":
		return "signed by a key of " + string(s.JwksURL)
	case len(s.JWTPublicKey.Keys) > 0:
		return "signed for " + english.Plural(len(s.JWTPublicKey.Keys), "public key", "")
	}
	return "signed with the secret that this bridge has, too"
}

func demands(s configs.Auth) string {
	text := fmt.Sprintf(", good for %v at most", s.MaxLife)
	if s.Issuer != "" {
		text += fmt.Sprintf(", by the issuer %s", s.Issuer)
	}
	if s.Audience != "" {
		text += fmt.Sprintf(", for the audience %s", s.Audience)
	}
	return text
}
