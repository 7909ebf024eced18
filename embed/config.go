package embed

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// Config says how to run the server. If a configuration file sets the same thing, the file wins over a setting's default, and
// loses against a setting that the operator has set.
type Config struct {
	File   *File             // a nats-server configuration file; nil for none
	Listen Setting[string]   // host:port; port 0 for any free port; "" for no listener
	Dir    Setting[string]   // the folder that JetStream keeps its files in
	Sync   Setting[Interval] // how much a crash of the operating system may lose

	MaxPayload int // the largest message in bytes, headers included, unless the file sets it; 0 for nats-server's default

	Credentials []nats.Option // how the bridge signs in, if the file requires more than a plain user or token

	// Bucket is the bridge's own; "" for none. If there is one, and the file configures no authorization, the server requires credentials
	// that it writes into the folder, and keeps the bucket in an account that the publisher cannot reach: see Server.IsGuarded.
	Bucket string

	logins *logins // of a guarded server; set before it starts
	own    login   // added to the users of the file; the zero value if no server is started
}

// Setting is a value, and whether somebody has set it.
type Setting[T any] struct {
	Value T
	IsSet bool
}

// Interval is how often files are synced to disk.
type Interval struct {
	Every  time.Duration
	Always bool // after each write
}

// guards reports whether a server with such options is guarded. In a cluster, other servers would have to know the account.
func (c Config) guards(o *server.Options) bool {
	return c.Bucket != "" && !hasUsers(o) && !verifies(o.TLSConfig) && len(o.Accounts) == 0 && !isClustered(o) && o.Gateway.Name == "" &&
		o.Websocket.Username+o.Websocket.Token+o.MQTT.Username+o.MQTT.Token == ""
}

// isMapped reports whether there are mappings outside of any account, and no accounts. JetStream cannot be added to the account
// that the parser makes of them.
func isMapped(o *server.Options) bool {
	return len(o.Accounts) == 1 && o.Accounts[0].Name == server.DEFAULT_GLOBAL_ACCOUNT
}

// Check reports whether a server with this configuration could run, as far as that is known without starting it. The error
// names the setting to change.
func (c Config) Check() error {
	_, _, err := c.resolve()
	return err
}

// resolve returns the server's options, and how the bridge signs in to it.
func (c Config) resolve() (*server.Options, []nats.Option, error) {
	options, err := c.options()
	if err != nil {
		return nil, nil, err
	}
	signIn, err := c.admit(options)
	return options, signIn, err
}

// options returns what the file and the settings say together, or an error if that would let in anyone.
func (c Config) options() (*server.Options, error) {
	o, err := c.read()
	if err != nil {
		return nil, err
	}
	return o, c.judge(o)
}

// judge returns why no server may be started with these options.
func (c Config) judge(o *server.Options) error {
	if c.Bucket != "" && !hasUsers(o) && isMapped(o) {
		return errors.New("TAILWATER_EMBED_CONFIG: a file with mappings, for a bridge that checks tokens, must say who may connect: add an authorization block")
	}
	return refuseOpenDoors(c.listeners(o))
}

// Listeners returns the addresses on which a server with this configuration would listen. The error says why the server would
// not start, such as a listener that lets in anyone from another machine. Unless the file is invalid, the listeners are returned too.
func (c Config) Listeners() ([]Listener, error) {
	o, err := c.read()
	if err != nil {
		return nil, err
	}
	return c.listeners(o), c.judge(o)
}

// read puts the file and the settings together.
func (c Config) read() (*server.Options, error) {
	o := &server.Options{}
	if c.File != nil {
		o = c.File.options.Clone()
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
		o.MaxPayload = cmp.Or(int32(min(c.MaxPayload, math.MaxInt32)), server.MAX_PAYLOAD_SIZE)
	}
	if o.MaxPending == 0 { // the buffer of one client: nats-server requires room for a message
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

// File is a nats-server configuration file, as it was read once: what was judged is what is applied.
type File struct {
	path    string
	options *server.Options
}

// ReadFile reads a nats-server configuration file.
func ReadFile(path string) (*File, error) {
	o, err := server.ProcessConfigFile(path)
	if err != nil {
		return nil, fmt.Errorf("TAILWATER_EMBED_CONFIG: %w", err)
	}
	return &File{path, o}, nil
}

// What a stream may hold in memory before it has stored it. Publishers that wait for no acknowledgement, such as nats pub,
// do not notice a loss: with nats-server's own defaults (100,000 messages, 128 MiB) a flood of theirs loses messages.
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

// admit adds the bridge's own user, and the logins of a guarded server, to the options. It returns how the bridge signs in.
func (c Config) admit(options *server.Options) ([]nats.Option, error) {
	if c.logins != nil {
		c.logins.guard(options, c.Bucket)
		return []nats.Option{c.logins.bridge.option()}, nil
	}
	return c.signIn(options)
}

// Contexts returns what PublisherContext and AdminContext would return for a server with this configuration.
func (c Config) Contexts() (publisher, admin string) {
	o, err := c.options()
	if err != nil || !c.guards(o) || o.DontListen {
		return "", ""
	}
	return contextPath(o.StoreDir, publisherFile), contextPath(o.StoreDir, adminFile)
}
