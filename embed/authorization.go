package embed

// How the server decides who may connect, for each kind of listener. The functions return what to change so that every client
// must sign in, or "" if every client must already. They follow processClientOrLeafAuthentication and its like in nats-server.

import (
	"cmp"
	"crypto/tls"
	"slices"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
)

// authorization is what one kind of listener requires.
type authorization struct {
	user, password, token string
	noAuthUser            string // the user of clients that send no credentials
	connection            string // the type of connection, to which a user may be restricted
}

// or returns the authorization of a listener's own block. If that says nothing, the server's holds.
func (a authorization) or(o *server.Options) authorization {
	if a.user != "" || a.token != "" || a.noAuthUser != "" {
		return a
	}
	return authorization{user: o.Username, password: o.Password, token: o.Authorization, noAuthUser: o.NoAuthUser, connection: a.connection}
}

// ask returns what is missing for a sign-in at a listener. An auth callout alone is no sign-in: without users, the server accepts
// clients without credentials.
func ask(o *server.Options, a authorization) string {
	switch {
	case letsIn(o, a.noAuthUser, a.connection):
		return "remove no_auth_user"
	case hasOnlySystemAccount(o):
		return "add an authorization block with users to the file of TAILWATER_EMBED_CONFIG"
	case len(o.TrustedOperators) > 0 || len(o.TrustedKeys) > 0:
		if o.DefaultSentinel != "" {
			return "remove default_sentinel"
		}
		return ""
	case len(o.Users) > 0 || len(o.Nkeys) > 0:
		return askPasswords(o.Users, func(u *server.User) bool { return isCertificate(o, u) })
	case a.token != "":
		return ""
	case a.user != "":
		return askPassword(a.password)
	}
	return "add an authorization block to the file of TAILWATER_EMBED_CONFIG"
}

// letsIn reports whether the server accepts clients of a type without credentials, as a user.
func letsIn(o *server.Options, noAuthUser, connection string) bool {
	if noAuthUser == "" {
		return false
	}
	var types map[string]struct{} // none means all
	for _, u := range o.Users {
		if u.Username == noAuthUser {
			types = u.AllowedConnectionTypes
		}
	}
	for _, u := range o.Nkeys {
		if u.Nkey == noAuthUser {
			types = u.AllowedConnectionTypes
		}
	}
	_, allowed := types[connection]
	return len(types) == 0 || allowed
}

// hasOnlySystemAccount reports whether all users are in the system account, and there is no other account. The server then adds a
// no_auth_user of its own, for the clients that it had before there was a system account.
func hasOnlySystemAccount(o *server.Options) bool {
	return o.SystemAccount != "" && len(o.Accounts) == 1 && len(o.TrustedOperators) == 0 &&
		!slices.ContainsFunc(o.Users, func(u *server.User) bool { return u.Account == nil }) &&
		!slices.ContainsFunc(o.Nkeys, func(u *server.NkeyUser) bool { return u.Account == nil })
}

// askPasswords refuses users without a password, unless the user's name comes from a certificate.
func askPasswords(users []*server.User, isCertificate func(*server.User) bool) string {
	for _, u := range users {
		if !isCertificate(u) && askPassword(u.Password) != "" {
			return askPassword(u.Password)
		}
	}
	return ""
}

func askPassword(password string) string {
	if password == "" {
		return "give every user a password"
	}
	return ""
}

// isCertificate reports whether a user without a password signs in with a certificate alone. The server refuses an empty password
// only to users whom a certificate can name at some listener. Users for MQTT or leaf nodes through a WebSocket alone always need a password here.
func isCertificate(o *server.Options, u *server.User) bool {
	allows := func(connection string) bool {
		_, allowed := u.AllowedConnectionTypes[connection]
		return len(u.AllowedConnectionTypes) == 0 || allowed
	}
	l := o.LeafNode
	return o.TLSMap && !o.DontListen && allows(jwt.ConnectionTypeStandard) ||
		o.Websocket.TLSMap && o.Websocket.Port != 0 && allows(jwt.ConnectionTypeWebsocket) ||
		o.MQTT.TLSMap && o.MQTT.Port != 0 && allows(jwt.ConnectionTypeMqtt) ||
		l.TLSMap && l.Port != 0 && l.Username == "" && l.Nkey == "" && len(l.Users) == 0 && allows(jwt.ConnectionTypeLeafnode)
}

// verifies reports whether only clients with a certificate are accepted. Without a ca_file, a certificate of any public authority
// would do.
func verifies(config *tls.Config) bool {
	return config != nil && config.ClientAuth == tls.RequireAndVerifyClientCert && config.ClientCAs != nil
}

func askClients(o *server.Options) string {
	if verifies(o.TLSConfig) && !o.AllowNonTLS {
		return ""
	}
	return ask(o, authorization{connection: jwt.ConnectionTypeStandard}.or(o))
}

func askMQTT(o *server.Options) string {
	if verifies(o.MQTT.TLSConfig) && !o.AllowNonTLS {
		return ""
	}
	return ask(o, mqttAuthorization(o, jwt.ConnectionTypeMqtt))
}

func mqttAuthorization(o *server.Options, connection string) authorization {
	m := o.MQTT
	return authorization{user: m.Username, password: m.Password, token: m.Token, noAuthUser: m.NoAuthUser, connection: connection}.or(o)
}

// askWebsockets judges everything that arrives through a WebSocket: clients, and if they have listeners, MQTT and leaf nodes.
func askWebsockets(o *server.Options) string {
	w := o.Websocket
	if verifies(w.TLSConfig) {
		return ""
	}
	own := authorization{user: w.Username, password: w.Password, token: w.Token, noAuthUser: w.NoAuthUser, connection: jwt.ConnectionTypeWebsocket}
	remedy := ask(o, own.or(o))
	if o.MQTT.Port != 0 {
		remedy = cmp.Or(remedy, ask(o, mqttAuthorization(o, jwt.ConnectionTypeMqttWS)))
	}
	if o.LeafNode.Port != 0 {
		remedy = cmp.Or(remedy, askLeaf(o, cmp.Or(w.NoAuthUser, o.NoAuthUser), jwt.ConnectionTypeLeafnodeWS))
	}
	return remedy
}

func askLeafNodes(o *server.Options) string {
	if verifies(o.LeafNode.TLSConfig) {
		return ""
	}
	return askLeaf(o, o.NoAuthUser, jwt.ConnectionTypeLeafnode)
}

// askLeaf judges the authorization of leaf nodes, or that of clients if leaf nodes have none of their own.
func askLeaf(o *server.Options, noAuthUser, connection string) string {
	switch l := o.LeafNode; {
	case l.Username != "":
		return askPassword(l.Password)
	case l.Nkey != "":
		return ""
	case len(l.Users) > 0:
		return askPasswords(l.Users, func(*server.User) bool { return l.TLSMap })
	}
	return ask(o, authorization{user: o.Username, password: o.Password, token: o.Authorization, noAuthUser: noAuthUser, connection: connection})
}

// askPeers is for other servers, which sign in as one user or with a certificate.
func askPeers(user, password string, config *tls.Config) string {
	switch {
	case verifies(config):
		return ""
	case user == "":
		return "add an authorization block to it, or tls with a ca_file"
	}
	return askPassword(password)
}
