package node

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/synadia-io/orbit.go/natscontext"

	"github.com/tailwater/tailwater/bridge/auth"
	"github.com/tailwater/tailwater/bridge/source"
	"github.com/tailwater/tailwater/configs"
	"github.com/tailwater/tailwater/embed"
)

// credentials returns the options for signing in to NATS.
func credentials(settings configs.NATS) ([]nats.Option, error) {
	var options []nats.Option
	if settings.Creds != "" {
		options = append(options, nats.UserCredentials(settings.Creds))
	}
	if settings.Nkey != "" {
		option, err := nats.NkeyOptionFromSeed(settings.Nkey)
		if err != nil {
			return nil, SettingsError{ErrSetting("NATS_NKEY", err)}
		}
		options = append(options, option)
	}
	return options, nil
}

// External returns the dialer of the servers in the settings, and source.Config.API.
func External(settings configs.NATS) (source.Dialer, string, error) {
	own, err := credentials(settings)
	if err != nil {
		return nil, "", err
	}
	api, err := JetStreamAPI(settings)
	if err != nil {
		return nil, "", err
	}
	if settings.TLS.CA != "" {
		own = append(own, nats.RootCAs(settings.TLS.CA))
	}
	if settings.TLS.Cert != "" {
		own = append(own, nats.ClientCert(settings.TLS.Cert, settings.TLS.Key))
	}
	return func(options ...nats.Option) (*nats.Conn, error) {
		var servers configs.ServerURL
		options = append(own[:len(own):len(own)], append(options, noteServers(&servers))...)
		conn, err := connect(settings, options)
		if err != nil {
			return nil, errConnect(settings, servers, err)
		}
		return conn, nil
	}, api, nil
}

func connect(settings configs.NATS, options []nats.Option) (*nats.Conn, error) {
	if settings.Context == "" {
		return nats.Connect(settings.URL.Reveal(), options...)
	}
	conn, _, err := natscontext.Connect(settings.Context, options...)
	return conn, err
}

// noteServers keeps the URLs that a connection tries: those of a context are not known otherwise.
func noteServers(servers *configs.ServerURL) nats.Option {
	return func(o *nats.Options) error {
		// nats.go itself refuses invalid URLs.
		_ = servers.Decode(strings.Join(o.Servers, ","))
		return nil
	}
}

// errConnect names the servers that could not be reached, without credentials, and says what to do if they refused the sign-in.
func errConnect(settings configs.NATS, servers configs.ServerURL, err error) error {
	where := servers.String()
	if settings.Context != "" {
		where = strings.TrimSpace("the context " + settings.Context + " " + where)
	}
	if where != "" {
		err = fmt.Errorf("%s: %w", where, err)
	}
	switch {
	case !isSignIn(err):
		return err
	case settings.Context != "":
		return fmt.Errorf("%w; correct the user in the context", err)
	}
	return fmt.Errorf("%w; write the user into %s_NATS_URL, as in nats://user:password@host:4222, or set %[2]s_NATS_CREDS, _NATS_NKEY or _NATS_TLS_CERT", err, configs.Prefix)
}

// isSignIn reports whether a server has refused the sign-in.
func isSignIn(err error) bool {
	return errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired) ||
		errors.Is(err, nats.ErrAuthRevoked) || errors.Is(err, nats.ErrAccountAuthExpired)
}

// JetStreamAPI returns the prefix of JetStream's subjects: from the setting, or from the context of the nats command.
func JetStreamAPI(settings configs.NATS) (string, error) {
	domain, prefix := string(settings.JsDomain), ""
	if domain == "" && settings.Context != "" {
		found, err := readContext(settings.Context)
		if err != nil {
			return "", fmt.Errorf("read the context of the nats command: %w", err)
		}
		domain, prefix = found.JSDomain, strings.TrimSuffix(found.JSAPIPrefix, ".")
	}
	if domain != "" {
		return source.DomainAPI(domain), nil
	}
	return prefix, nil
}

// readContext reads a context without connecting. natscontext returns a context only together with a connection, so the connection gets
// a dialer that refuses, and is closed.
func readContext(name string) (natscontext.Settings, error) {
	conn, found, err := natscontext.Connect(name, nats.RetryOnFailedConnect(true), nats.SkipHostLookup(), nats.SetCustomDialer(nowhere{}))
	if err != nil {
		return natscontext.Settings{}, err
	}
	conn.Close()
	return found, nil
}

// nowhere is a dialer that refuses.
type nowhere struct{}

func (nowhere) Dial(_, _ string) (net.Conn, error) { return nil, errors.New("not to be connected") }

const (
	natsPayload = 1 << 20  // a NATS server's default limit
	headerBytes = 64 << 10 // room for the headers of a message with the largest body
)

// Embedded returns the server that the settings describe. The error is about the settings, or the configuration file.
func Embedded(settings *configs.Settings) (embed.Config, error) {
	own, err := credentials(settings.NATS)
	if err != nil {
		return embed.Config{}, err
	}
	config := embedConfig(settings)
	config.Credentials = own
	if err := config.Check(); err != nil {
		return embed.Config{}, SettingsError{err}
	}
	return config, nil
}

// embedConfig returns that server without the bridge's credentials.
func embedConfig(settings *configs.Settings) embed.Config {
	file, _ := settings.EmbedFile.(*embed.File)
	return embed.Config{
		File:       file,
		Listen:     embed.Setting[string]{Value: string(settings.Embed.Listen), IsSet: settings.IsSet("EMBED_LISTEN")},
		Dir:        embed.Setting[string]{Value: settings.Embed.Dir, IsSet: settings.IsSet("EMBED_DIR")},
		Sync:       embed.Setting[embed.Interval]{Value: embed.Interval{Every: settings.Embed.Sync.Interval, Always: settings.Embed.Sync.Always}, IsSet: settings.IsSet("EMBED_SYNC")},
		Bucket:     ownBucket(settings),
		MaxPayload: max(natsPayload, int(settings.Limit.Body)+headerBytes),
	}
}

// ownBucket returns the bucket that an embedded server keeps for the bridge alone; "" for none.
func ownBucket(settings *configs.Settings) string {
	if !settings.Auth.SignsIn() {
		return ""
	}
	return auth.RevokedBucket
}

// AdminContext returns the path of the context that can write the bridge's own bucket in an embedded server; "" if there is none.
func AdminContext(settings *configs.Settings) string {
	if !settings.Embedded() {
		return ""
	}
	_, admin := embedConfig(settings).Contexts()
	return admin
}

// ErrSetting says which setting an error comes from.
func ErrSetting(name string, err error) error {
	return fmt.Errorf("%s_%s: %w", configs.Prefix, name, err)
}

// SettingsError is an error of the settings, which only the operator can correct.
type SettingsError struct{ error }

// Unwrap returns the reason.
func (e SettingsError) Unwrap() error { return e.error }
