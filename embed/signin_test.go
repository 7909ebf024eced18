package embed_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"golang.org/x/crypto/bcrypt"
)

func hashed(t *testing.T, secret string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(secret), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

// key returns a public key for the file, and the option that signs in with it.
func key(t *testing.T) (public string, option nats.Option) {
	t.Helper()
	pair, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	if public, err = pair.PublicKey(); err != nil {
		t.Fatal(err)
	}
	return public, nats.Nkey(public, pair.Sign)
}

// The bridge signs in by itself, the users of the file can sign in, and nobody else can.
func TestSignIn(t *testing.T) {
	public, signed := key(t)
	for _, test := range []struct {
		name      string
		file      string
		strangers []nats.Option // who gets in
	}{
		{"a user", `authorization { user: a, password: swordfish }`, []nats.Option{nats.UserInfo("a", "swordfish")}},
		{"a user with a hash", fmt.Sprintf(`authorization { user: a, password: %q }`, hashed(t, "swordfish")), []nats.Option{nats.UserInfo("a", "swordfish")}},
		{"a token", `authorization { token: swordfish }`, []nats.Option{nats.Token("swordfish")}},
		{
			"users", fmt.Sprintf(`authorization { users: [{user: a, password: swordfish}, {user: b, password: %q}] }`, hashed(t, "other")),
			[]nats.Option{nats.UserInfo("a", "swordfish"), nats.UserInfo("b", "other")},
		},
		{
			"a user with the bridge's name", `authorization { users: [{user: tailwater, password: swordfish}, {user: tailwater-bridge, password: other}] }`,
			[]nats.Option{nats.UserInfo("tailwater", "swordfish"), nats.UserInfo("tailwater-bridge", "other")},
		},
		{
			"users who may do little", `authorization {
				default_permissions: { publish: "talk.*", subscribe: "talk.*" }
				users: [{user: a, password: swordfish}]
			}`,
			[]nats.Option{nats.UserInfo("a", "swordfish")},
		},
		{"keys", fmt.Sprintf(`authorization { users: [{nkey: %s}] }`, public), []nats.Option{signed}},
	} {
		t.Run(test.name, func(t *testing.T) {
			server := start(t, withFile(t, test.file))
			bridge := own(t, server)
			if _, err := js(t, bridge).AccountInfo(within(t)); err != nil {
				t.Errorf("the bridge and JetStream: %v", err)
			}
			for _, option := range test.strangers {
				talk(t, stranger(t, server, option), bridge)
			}
			wantRefused(t, server)
			wantRefused(t, server, nats.UserInfo("a", "wrong"))
			wantRefused(t, server, nats.UserInfo("tailwater", ""))
			wantRefused(t, server, nats.Token("wrong"))
		})
	}
}

// With accounts, the settings must say which user the bridge is.
func TestAccounts(t *testing.T) {
	public, signed := key(t)
	text := fmt.Sprintf(`accounts {
		APP { jetstream: enabled, users: [{nkey: %s}, {user: a, password: swordfish}] }
		OTHER { users: [{user: b, password: swordfish}] }
	}`, public)
	t.Run("without credentials", func(t *testing.T) {
		refused(t, withFile(t, text), "TAILWATER_EMBED_CONFIG", "TAILWATER_NATS_CREDS", "TAILWATER_NATS_NKEY", "no_auth_user")
	})
	t.Run("with a key", func(t *testing.T) {
		config := withFile(t, text)
		config.Credentials = []nats.Option{signed}
		server := start(t, config)
		bridge := own(t, server)
		talk(t, stranger(t, server, nats.UserInfo("a", "swordfish")), bridge)
		if _, err := js(t, bridge).AccountInfo(within(t)); err != nil {
			t.Errorf("the bridge and JetStream: %v", err)
		}
		wantRefused(t, server)
	})
	t.Run("with a no_auth_user", func(t *testing.T) {
		server := start(t, withFile(t, text+"\nno_auth_user: a"))
		bridge := own(t, server)
		talk(t, stranger(t, server, nats.UserInfo("a", "swordfish")), bridge)
		talk(t, stranger(t, server), bridge)
	})
}

func TestHashedTokenIsRefused(t *testing.T) {
	refused(t, withFile(t, fmt.Sprintf(`authorization { token: %q }`, hashed(t, "swordfish"))), "TAILWATER_EMBED_CONFIG", "hashed", "users")
}

// Credentials of the settings are used, even if the bridge could sign in without them.
func TestCredentialsAreUsed(t *testing.T) {
	config := withFile(t, `authorization { users: [{user: a, password: swordfish}] }`)
	config.Credentials = []nats.Option{nats.UserInfo("a", "swordfish")}
	answer, err := own(t, start(t, config)).Request("$SYS.REQ.USER.INFO", nil, patience)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(answer.Data), `"user":"a"`) {
		t.Errorf("the bridge is %s, want the user a", answer.Data)
	}
}

// A no_auth_user who may not connect in-process does not let the bridge in.
func TestSignInBesideNoAuthUserOfTheNetwork(t *testing.T) {
	server := start(t, withFile(t, `authorization { users: [{user: a, password: swordfish, allowed_connection_types: [STANDARD]}] }
no_auth_user: a`))
	talk(t, own(t, server), own(t, server))
	talk(t, stranger(t, server), own(t, server))
}
