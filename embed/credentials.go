package embed

// The credentials of a guarded server: one whose configuration says nothing of who may come in, and that keeps buckets of the bridge's own.
// Then whoever connects has to sign in, and the buckets are in an account of their own. That is more than a list of what a user may
// publish: a stream's republish, a transform or a consumer writes whatever its account may.

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

// ownAccount has the bridge's own buckets. Everything else stays in the account that NATS has without any accounts.
const ownAccount = "TAILWATER"

// login is a user, and what the server knows of the password.
type login struct{ user, password, hash string }

func newLogin(user, password string) (login, error) {
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost) // a random password needs no slow hash
	if err != nil {
		return login{}, fmt.Errorf("make a credential: %w", err)
	}
	return login{user, password, string(hash)}, nil
}

func (l login) option() nats.Option { return nats.UserInfo(l.user, l.password) }

// logins are who may come in to a guarded server.
type logins struct {
	bridge, bridgeOwn login // of this process: their passwords are written nowhere
	publisher, admin  login // of contexts in the folder
}

// readLogins returns the logins of a folder, and makes those that are not there yet.
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

// natsContext is what a context of the nats command says.
type natsContext struct {
	Description string `json:"description"`
	URL         string `json:"url"`
	User        string `json:"user"`
	Password    string `json:"password"`
}

// readContext returns the zero value where there is no file.
func readContext(path string) (natsContext, error) {
	var c natsContext
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err == nil && (json.Unmarshal(text, &c) != nil || c.Password == "") {
		err = errors.New("it holds no password") // what it holds is not repeated
	}
	if err != nil {
		return c, fmt.Errorf("read the credential %s: %w; remove the file for another to be made", path, err)
	}
	return c, nil
}

// write writes the context, unless the file says the same already.
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

// writeContexts leaves the credentials in the folder. A server that does not listen has no use for them.
func (s *Server) writeContexts() error {
	if s.url == "" {
		return nil
	}
	of := s.config.logins
	return errors.Join(
		natsContext{"Tailwater: publish, subscribe and use streams", s.url, of.publisher.user, of.publisher.password}.write(filepath.Join(s.dir, publisherFile)),
		natsContext{"Tailwater: take tokens back", s.url, of.admin.user, of.admin.password}.write(filepath.Join(s.dir, adminFile)),
	)
}

// PublisherContext returns the path of a context with which the nats command publishes, and AdminContext that of one with which it
// writes the bridge's own buckets. They are "" where the server asks for no such credential, or does not listen.
func (s *Server) PublisherContext() string { return s.contextFile(publisherFile) }

// AdminContext is explained at PublisherContext.
func (s *Server) AdminContext() string { return s.contextFile(adminFile) }

func (s *Server) contextFile(name string) string {
	if !s.IsGuarded() || s.url == "" {
		return ""
	}
	return contextPath(s.dir, name)
}

// Contexts returns what PublisherContext and AdminContext would be of a server that was run so.
func (c Config) Contexts() (publisher, admin string) {
	o, err := c.options()
	if err != nil || !c.guards(o) || o.DontListen {
		return "", ""
	}
	return contextPath(o.StoreDir, publisherFile), contextPath(o.StoreDir, adminFile)
}

// contextPath returns an absolute path: only those does the nats command take for one.
func contextPath(dir, name string) string {
	path, err := filepath.Abs(filepath.Join(dir, name))
	if err != nil {
		return filepath.Join(dir, name)
	}
	return path
}

// guard adds the logins to the options, and the bridge's own account.
func (l *logins) guard(o *server.Options, buckets []string) {
	own := jetStreamAccount(ownAccount)
	o.Accounts = []*server.Account{jetStreamAccount(server.DEFAULT_GLOBAL_ACCOUNT), own}
	o.Users = []*server.User{
		{Username: l.bridge.user, Password: l.bridge.hash},
		{Username: l.publisher.user, Password: l.publisher.hash, Permissions: notMistaken(buckets)},
		{Username: l.bridgeOwn.user, Password: l.bridgeOwn.hash, Account: own},
		{Username: l.admin.user, Password: l.admin.hash, Account: own, Permissions: administration},
	}
}

// administration is what a user of the own account has to do there. Who confuses the two contexts is told, rather than heard by nobody.
var administration = &server.Permissions{
	Publish:   &server.SubjectPermission{Allow: []string{"$JS.API.>", "$JS.ACK.>", "$JS.FC.>", "$KV.>"}},
	Subscribe: &server.SubjectPermission{Allow: []string{"_INBOX.>"}},
}

// notMistaken refuses to the publisher buckets of the same name, which would mean nothing. It guards nothing.
func notMistaken(buckets []string) *server.Permissions {
	var deny []string
	for _, bucket := range buckets {
		deny = append(deny, "$KV."+bucket+".>", "$JS.API.STREAM.*.KV_"+bucket, "$JS.*.API.STREAM.*.KV_"+bucket)
	}
	return &server.Permissions{Publish: &server.SubjectPermission{Deny: deny}}
}

// jetStreamAccount returns an account with JetStream. Only the parser of a configuration can make one, and none of a reserved name.
func jetStreamAccount(name string) *server.Account {
	var o server.Options
	if err := o.ProcessConfigString("accounts { A { jetstream: enabled } }"); err != nil {
		panic(err) // nothing in it depends on anything
	}
	o.Accounts[0].Name = name
	return o.Accounts[0]
}
