package embed

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Config says how to run the server. Where a configuration file says something as well, the file wins over a Default and
// loses against what was set.
type Config struct {
	File   string            // a nats-server configuration file; "" for none
	Parsed *File             // File, if it was read already; nil to read it
	Listen Setting[string]   // host:port; port 0 for any that is free; "" not to listen
	Dir    Setting[string]   // the folder that JetStream keeps its files in
	Sync   Setting[Interval] // how far an operating system's crash may reach back

	MaxPayload int // bytes that a message may have, headers included, where the file says nothing; 0 for nats-server's default

	Credentials []nats.Option // how the bridge signs in, where the file asks for more than a plain user or token

	// Buckets are the bridge's own. Where there are some, and the file says nothing of who may come in, the server asks for credentials
	// that it leaves in the folder, and has the buckets in an account that the one for publishing has no way to: see Server.IsGuarded.
	Buckets []string

	logins *logins      // of a guarded server, once it is to be started
	own    *server.User // whom the bridge adds to the users of the file, named when that is done first; nil if nothing is started
}

// Setting is a value, and whether somebody chose it.
type Setting[T any] struct {
	Value T
	IsSet bool
}

// Interval is how often files are synced to disk.
type Interval struct {
	Every  time.Duration
	Always bool // after each write
}

// guards reports whether a server with such options is one to be guarded. In a cluster, other servers would have to know the account.
func (c Config) guards(o *server.Options) bool {
	return len(c.Buckets) > 0 && !hasUsers(o) && !verifies(o.TLSConfig) && len(o.Accounts) == 0 && !isClustered(o) && o.Gateway.Name == "" &&
		o.Websocket.Username+o.Websocket.Token+o.MQTT.Username+o.MQTT.Token == ""
}

// isMapped reports whether there are mappings outside of any account, and no accounts: no JetStream can be added to what the parser
// makes of them.
func isMapped(o *server.Options) bool {
	return len(o.Accounts) == 1 && o.Accounts[0].Name == server.DEFAULT_GLOBAL_ACCOUNT
}

// Check tells whether a server could be run so, as far as that can be known without starting it. The error names the
// setting to change.
func (c Config) Check() error {
	_, _, err := c.resolve()
	return err
}

// resolve reads the file, and returns the server's options and how the bridge signs in to it.
func (c Config) resolve() (*server.Options, []nats.Option, error) {
	options, err := c.options()
	if err != nil {
		return nil, nil, err
	}
	return c.admit(options)
}

// admit adds the bridge itself, and the logins of a guarded server, to options that were read from the file. It returns how the bridge
// signs in.
func (c Config) admit(options *server.Options) (*server.Options, []nats.Option, error) {
	if c.logins != nil && c.guards(options) {
		c.logins.guard(options, c.Buckets)
		return options, []nats.Option{c.logins.bridge.option()}, nil
	}
	signIn, err := c.signIn(options)
	return options, signIn, err
}

// options gives what the file and the settings say together, unless that would let in anyone.
func (c Config) options() (*server.Options, error) {
	o, err := c.read()
	if err != nil {
		return nil, err
	}
	return o, c.judge(o)
}

// judge returns why no server may be started with options that were read.
func (c Config) judge(o *server.Options) error {
	if len(c.Buckets) > 0 && !hasUsers(o) && isMapped(o) {
		return errors.New("TAILWATER_EMBED_CONFIG: a file with mappings, for a bridge that takes tokens, has to say who may come in: add an authorization block")
	}
	return refuseOpenDoors(c.listeners(o))
}

// read puts the file and the settings together.
func (c Config) read() (*server.Options, error) {
	o, err := c.parse()
	if err != nil {
		return nil, err
	}
	o.NoSigs = true // this process handles its own signals
	o.JetStream = true
	o.ServerName = cmp.Or(o.ServerName, "tailwater")
	if o.StoreDir == "" || c.Dir.IsSet {
		o.StoreDir = c.Dir.Value
	}
	if o.SyncInterval == 0 && !o.SyncAlways || c.Sync.IsSet {
		o.SyncInterval, o.SyncAlways = c.Sync.Value.Every, c.Sync.Value.Always
	}
	if o.MaxPayload == 0 {
		o.MaxPayload = int32(min(c.MaxPayload, math.MaxInt32))
	}
	if o.MaxPending == 0 { // of what waits for one client: nats-server asks for room for a message
		o.MaxPending = max(server.MAX_PENDING_SIZE, 2*int64(o.MaxPayload))
	}
	if o.StreamMaxBufferedMsgs == 0 {
		o.StreamMaxBufferedMsgs = bufferedMessages
	}
	if o.StreamMaxBufferedSize == 0 {
		o.StreamMaxBufferedSize = bufferedBytes
	}
	if o.Host == "" && o.Port == 0 || c.Listen.IsSet {
		if err := listen(o, c.Listen.Value); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// File is a nats-server configuration file, as it was read once.
type File struct{ options *server.Options }

// ReadFile reads a nats-server configuration file.
func ReadFile(path string) (*File, error) {
	o, err := server.ProcessConfigFile(path)
	if err != nil {
		return nil, fmt.Errorf("TAILWATER_EMBED_CONFIG: %w", err)
	}
	return &File{o}, nil
}

// parse returns the options of the file alone, which the caller may change.
func (c Config) parse() (*server.Options, error) {
	switch {
	case c.File == "":
		return &server.Options{}, nil
	case c.Parsed != nil:
		return c.Parsed.options.Clone(), nil
	}
	file, err := ReadFile(c.File)
	if err != nil {
		return nil, err
	}
	return file.options, nil
}

// What a stream may hold in memory before it has stored it. Publishers that wait for no acknowledgement, such as nats pub,
// know nothing of it: with nats-server's own defaults (100,000 messages, 128 MiB) a flood of theirs loses messages.
const (
	bufferedMessages = 1_000_000
	bufferedBytes    = 2 << 30
)

func listen(o *server.Options, address string) error {
	if o.DontListen = address == ""; o.DontListen {
		return nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("TAILWATER_EMBED_LISTEN: %w", err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return fmt.Errorf("TAILWATER_EMBED_LISTEN: port of %q: %w", address, err)
	}
	o.Host, o.Port = cmp.Or(host, "0.0.0.0"), int(number)
	if o.Port == 0 {
		o.Port = server.RANDOM_PORT
	}
	return nil
}

// requiresSignIn tells whether the bridge must show credentials. A no_auth_user lets everyone in as that user, unless it is for others.
func requiresSignIn(o *server.Options) bool {
	return hasUsers(o) && !letsIn(o, o.NoAuthUser, jwt.ConnectionTypeInProcess)
}

func hasUsers(o *server.Options) bool {
	return o.Username != "" || o.Authorization != "" || len(o.Users) > 0 || len(o.Nkeys) > 0 ||
		len(o.TrustedOperators) > 0 || len(o.TrustedKeys) > 0 || o.AuthCallout != nil
}
