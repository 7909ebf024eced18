package embed

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// ownUser is the bridge's user name if the configuration has a plain list of users.
const ownUser = "tailwater"

// signIn returns the options with which the bridge signs in to its own server. If the configuration has a user, users or a token,
// the bridge adds itself. With accounts, only the operator can say which user the bridge is: the settings hold those credentials.
func (c Config) signIn(o *server.Options) ([]nats.Option, error) {
	switch {
	case len(c.Credentials) > 0:
		return c.Credentials, nil
	case !requiresSignIn(o):
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
	own := cmp.Or(c.own, new(server.User))
	switch {
	case own.Username == "":
		own.Username = freeName(o.Users)
	case isTaken(o.Users, own.Username):
		return nil, errors.New("TAILWATER_EMBED_CONFIG: the bridge itself uses the name of the user " + own.Username + ": choose another name for that user, or restart")
	}
	o.Users = append(o.Users, &server.User{Username: own.Username, Password: own.Password})
	return []nats.Option{nats.UserInfo(own.Username, own.Password)}, nil
}

// freeName returns a name that no user has: nats-server keeps only the later of two users of the same name.
func freeName(users []*server.User) string {
	name := ownUser
	for isTaken(users, name) {
		name += "-bridge"
	}
	return name
}

func isTaken(users []*server.User, name string) bool {
	return slices.ContainsFunc(users, func(u *server.User) bool { return u.Username == name })
}

// requiresSignIn reports whether the bridge must show credentials. A no_auth_user lets in the bridge too, unless it is for other
// types of connections.
func requiresSignIn(o *server.Options) bool {
	return hasUsers(o) && !letsIn(o, o.NoAuthUser, jwt.ConnectionTypeInProcess)
}

func hasUsers(o *server.Options) bool {
	return o.Username != "" || o.Authorization != "" || len(o.Users) > 0 || len(o.Nkeys) > 0 ||
		len(o.TrustedOperators) > 0 || len(o.TrustedKeys) > 0 || o.AuthCallout != nil
}
