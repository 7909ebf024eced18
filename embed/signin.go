package embed

import (
	"cmp"
	"crypto/rand"
	"errors"
	"strings"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// ownUser begins the names of the bridge's own users.
const ownUser = "tailwater"

// signIn returns the options with which the bridge signs in to its own server. If the configuration has a user, users or a token,
// the bridge adds itself. With accounts, only the operator can say which user the bridge is: the settings hold those credentials.
func (c Config) signIn(o *server.Options) ([]nats.Option, error) {
	switch {
	case len(c.Credentials) > 0:
		return c.Credentials, nil
	case !hasUsers(o) || letsIn(o, o.NoAuthUser, jwt.ConnectionTypeInProcess): // a no_auth_user for other types of connections does not let in the bridge
		return nil, nil
	case len(o.Accounts) > 0 || len(o.TrustedOperators) > 0 || len(o.TrustedKeys) > 0 || o.AuthCallout != nil:
		return nil, errors.New("the configuration in TAILWATER_EMBED_CONFIG has accounts: say which user the bridge is with TAILWATER_NATS_CREDS or TAILWATER_NATS_NKEY, or name a no_auth_user")
	case strings.HasPrefix(o.Authorization, "$2"):
		return nil, errors.New("the token in TAILWATER_EMBED_CONFIG is hashed, so the bridge cannot sign in with it: list users instead")
	case o.Authorization != "":
		return []nats.Option{nats.Token(o.Authorization)}, nil
	}
	if o.Username != "" {
		o.Users = append(o.Users, &server.User{Username: o.Username, Password: o.Password})
		o.Username, o.Password = "", ""
	}
	own := cmp.Or(c.own, newOwnUser())
	o.Users = append(o.Users, &server.User{Username: own.user, Password: own.password})
	return []nats.Option{own.option()}, nil
}

// newOwnUser returns a user that no file has: nats-server keeps only the later of two users of the same name.
func newOwnUser() login { return login{user: ownUser + "-" + rand.Text(), password: rand.Text()} }

func hasUsers(o *server.Options) bool {
	return o.Username != "" || o.Authorization != "" || len(o.Users) > 0 || len(o.Nkeys) > 0 ||
		len(o.TrustedOperators) > 0 || len(o.TrustedKeys) > 0 || o.AuthCallout != nil
}
