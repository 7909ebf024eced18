package embed

// The credentials of a guarded server: one whose configuration says nothing about who may connect, and that keeps the bridge's
// own bucket. Every client of such a server has to sign in, and the bucket is in an account of its own. A list of what a user
// may publish would not protect them: a stream's republish, a transform or a consumer writes wherever its account can.

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"golang.org/x/crypto/bcrypt"
)

// Files in the folder of JetStream's files: contexts of the nats command.
const (
	publisherFile = "tailwater-nats.json"
	adminFile     = "tailwater-admin.json"
)

// ownAccount holds the bridge's own bucket. Everything else stays in the account that NATS has without any accounts.
const ownAccount = "TAILWATER"

// login is a user, the password, and the hash that the server knows.
type login struct{ user, password, hash string }

func newLogin(user, password string) (login, error) {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost) // a random password needs no slow hash
	if err != nil {
		return login{}, fmt.Errorf("make a credential: %w", err)
	}
	return login{user, password, string(hash)}, nil
}

func (l login) option() nats.Option { return nats.UserInfo(l.user, l.password) }

// logins are the users of a guarded server.
type logins struct {
	bridge, bridgeOwn login // used by this process alone: their passwords are written nowhere
	publisher, admin  login // written as contexts into the folder
}

// readLogins returns the logins of a folder, and makes those that are missing.
func readLogins(dir string) (*logins, error) {
	var l logins
	for _, one := range []struct {
		login      *login
		user, file string
	}{
		{&l.bridge, ownUser, ""},
		{&l.bridgeOwn, ownUser + "-own", ""},
		{&l.publisher, "publisher", publisherFile},
		{&l.admin, "admin", adminFile},
	} {
		password := rand.Text()
		if one.file != "" {
			known, err := readContext(filepath.Join(dir, one.file))
			if err != nil {
				return nil, err
			}
			if known.Password != "" {
				password = known.Password
			}
		}
		var err error
		if *one.login, err = newLogin(one.user, password); err != nil {
			return nil, err
		}
	}
	return &l, nil
}

// natsContext is the content of a context of the nats command.
type natsContext struct {
	Description string `json:"description"`
	URL         string `json:"url"`
	User        string `json:"user"`
	Password    string `json:"password"`
}

// readContext returns the zero value if there is no file.
func readContext(path string) (natsContext, error) {
	var c natsContext
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err == nil && (json.Unmarshal(text, &c) != nil || c.Password == "") {
		err = errors.New("it holds no password") // the content is not repeated
	}
	if err != nil {
		return c, fmt.Errorf("read the credential %s: %w; remove the file to have a new one made", path, err)
	}
	return c, nil
}

// write writes the context, unless the file holds the same already.
func (c natsContext) write(path string) error {
	if known, err := readContext(path); err == nil && known == c {
		return os.Chmod(path, 0o600)
	}
	text, err := json.MarshalIndent(c, "", "  ")
	if err == nil {
		err = replace(path, append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write the credential %s: %w", path, err)
	}
	return nil
}

// writeContexts writes the credentials into the folder, unless the server does not listen.
func (s *Server) writeContexts() error {
	if s.url == "" {
		return nil
	}
	of := s.config.logins
	return errors.Join(
		natsContext{"Tailwater: publish, subscribe and use streams", s.url, of.publisher.user, of.publisher.password}.write(filepath.Join(s.dir, publisherFile)),
		natsContext{"Tailwater: revoke tokens, administer the bridge", s.url, of.admin.user, of.admin.password}.write(filepath.Join(s.dir, adminFile)),
	)
}

// PublisherContext returns the path of the context with which the nats command publishes. It is "" if the server requires no
// such credential, or does not listen.
func (s *Server) PublisherContext() string { return s.contextFile(publisherFile) }

// AdminContext returns the path of the context with which the nats command writes the bridge's own bucket, or "".
func (s *Server) AdminContext() string { return s.contextFile(adminFile) }

func (s *Server) contextFile(name string) string {
	if !s.IsGuarded() || s.url == "" {
		return ""
	}
	return contextPath(s.dir, name)
}

// contextPath returns an absolute path: the nats command takes other paths for names.
func contextPath(dir, name string) string {
	path, err := filepath.Abs(filepath.Join(dir, name))
	if err != nil {
		return filepath.Join(dir, name)
	}
	return path
}

// guard adds the logins and the bridge's own account to the options.
func (l *logins) guard(o *server.Options, bucket string) {
	own := jetStreamAccount(ownAccount)
	o.Accounts = []*server.Account{jetStreamAccount(server.DEFAULT_GLOBAL_ACCOUNT), own}
	o.Users = []*server.User{
		{Username: l.bridge.user, Password: l.bridge.hash},
		{Username: l.publisher.user, Password: l.publisher.hash, Permissions: notMistaken(bucket)},
		{Username: l.bridgeOwn.user, Password: l.bridgeOwn.hash, Account: own},
		{Username: l.admin.user, Password: l.admin.hash, Account: own, Permissions: administration},
	}
}

// administration is what a user of the own account needs there: for the bucket, and to ask the bridge as a micro service. A client with the
// wrong context gets an error, instead of publishing where nobody listens.
var administration = &server.Permissions{
	Publish:   &server.SubjectPermission{Allow: []string{"$JS.API.>", "$JS.ACK.>", "$JS.FC.>", "$KV.>", "$SRV.>", "$TAILWATER.>"}},
	Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}},
}

// notMistaken denies the publisher a bucket of the same name, which would have no effect. It protects nothing.
func notMistaken(bucket string) *server.Permissions {
	return &server.Permissions{Publish: &server.SubjectPermission{
		Deny: []string{"$KV." + bucket + ".>", "$JS.API.STREAM.*.KV_" + bucket, "$JS.*.API.STREAM.*.KV_" + bucket},
	}}
}

// jetStreamAccount returns an account with JetStream. Only nats-server's parser can make one, and not under a reserved name.
func jetStreamAccount(name string) *server.Account {
	var o server.Options
	if err := o.ProcessConfigString("accounts { A { jetstream: enabled } }"); err != nil {
		panic(err) // the text is constant
	}
	o.Accounts[0].Name = name
	return o.Accounts[0]
}

// IsGuarded reports whether the server requires the credentials of its folder, and keeps the bucket in an account of its own.
func (s *Server) IsGuarded() bool { return s.config.logins != nil }
