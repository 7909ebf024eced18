// Package configs holds the settings of Tailwater: one struct, read from environment variables that begin with
// TAILWATER_, and the documentation that is generated from it.
//
// The names follow the nesting: Settings.HTTP.Listen is TAILWATER_HTTP_LISTEN. A field says everything about its
// setting, in tags, so that nothing is written down twice:
//
//	default   the value of a setting that is not set
//	embedded  the same, but only where the NATS server runs in this process
//	unexposed the same, but only where Exposed finds nothing: no other machine reaches the bridge
//	unset     in words, what holds where none of these gives a value
//	empty     in words, what a set but empty value means; without this tag it is an error
//	desc      what the setting does, with its unit
//	example   a value for the generated example.env, where there is no default to show
//
// Load reads and checks them. It finds every problem before it gives up, and it refuses what would be unsafe. Nothing
// without the prefix is ever read: a shell's own NATS_URL must not turn a first try into production.
package configs

import (
	"log/slog"
	"time"
)

//go:generate go test -run ^TestGenerated$ -update .

// Prefix begins the name of every setting, followed by an underscore.
const Prefix = "TAILWATER"

// Settings are all settings, resolved: after Load every field holds what the program shall do, whether it was set or
// not. They can be logged as they are; secrets do not show.
type Settings struct {
	HTTP      HTTP
	Admin     Admin
	NATS      NATS
	Embed     Embed
	Routes    Routes `unset:"none" example:"/chat/{room}=chat.{room},/time=time.now" desc:"URL patterns of your own and the subjects they stand for, separated by commas, beside the built-in /events/{subject...}. A route to $KV.<bucket>. lets anyone read these keys of the bucket; one with {claim.<name>} lets each caller read what its own token names, and write it too with POST before the path."`
	Anonymous Anonymous
	Auth      Auth
	Kept
	Presence Subjects `embedded:"chat.>" unset:"none" empty:"none" example:"chat.>" desc:"Subjects whose readers are listed: who has a connection open on a subject within is a member, and those who may read the subject see who is there, with ?presence=1 or at /presence/. NATS subjects or filters, separated by commas. The lists are in the key-value bucket tailwater_presence, which the bridge makes."`
	Memory   Budget   `unset:"a quarter of the container's limit, or of the machine's memory where there is none; at most 256MiB" example:"256MiB" desc:"How much the events, the pages of history and the bodies that are on their way may take together: at least 8MiB, and four times LIMIT_BODY; a quarter as much again may wait on its way from NATS. Bytes, or with a unit such as MiB."`
	Limit    Limit
	Drain    Drain
	Log      Log
	Demo     Demo

	// Machine is what this process has, whatever the settings say.
	Machine Machine `ignored:"true"`

	// EmbedFile is what Inspect has read of Embed.Config, so that the server is started with what was inspected. Inspect sets it, and
	// knows its type; nil for none.
	EmbedFile any `ignored:"true"`

	set     map[string]bool // by name without the prefix
	exposed []Exposure
	hints   []string
}

// HTTP is the listener for browsers.
//
// Origins and Hosts are lists to compare with exactly. Where they were not set and only this machine can be in front of the
// bridge, LoopbackOrigins and LoopbackHosts are true instead: then loopback names (localhost, 127.0.0.0/8, [::1]) are accepted,
// at any port. Otherwise no Origins means that no other page may read, and no Hosts means that any Host header will do.
type HTTP struct {
	Listen         Address `default:"127.0.0.1:8080" desc:"Where browsers are served: host:port, where no host means every interface."`
	Origins        Origins `unset:"loopback names at any port; if exposed: none" empty:"none" example:"https://chat.example.com" desc:"Origins whose pages may read and post besides Tailwater's own: exact, as https://host[:port], separated by commas."`
	Hosts          Hosts   `unset:"loopback names; any if HTTP_LISTEN is not loopback or HTTP_TRUSTED_PROXIES is set" example:"chat.example.com" desc:"Names that the Host header may bear, without port, separated by commas; every other one is refused, against DNS rebinding."`
	Loops          Loops   `default:"auto" desc:"How many event loops write connections over plain HTTP/1.1, on Linux: auto for one on up to two processors, else half as many as there are processors, or a number; 0 for a goroutine for each connection, as with TLS and on other systems."`
	Pages          bool    `unexposed:"true" unset:"false" example:"true" desc:"Serve the pages / (the chat), /clock and /inspect: true or false. /client.js is served in any case."`
	TLS            Certificate
	TrustedProxies Networks `split_words:"true" unset:"none" empty:"none" example:"10.0.0.0/8,127.0.0.1" desc:"Proxies in front, whose X-Forwarded-For and X-Forwarded-Proto headers are believed: networks or addresses, separated by commas. Without it, all who come through a proxy count as one address."`

	LoopbackOrigins bool `ignored:"true"`
	LoopbackHosts   bool `ignored:"true"`
}

// Certificate turns on TLS, and with it HTTP/2, where it is set. Both are paths of PEM files, which are read again when they
// change.
type Certificate struct {
	Cert string `unset:"none" example:"/etc/tailwater/tls/cert.pem" desc:"PEM file of the certificate, followed by its intermediate ones: browsers are served over TLS, with HTTP/2; needs HTTP_TLS_KEY. It is read again when it changes."`
	Key  string `unset:"none" example:"/run/secrets/tls-key.pem" desc:"PEM file of the private key of HTTP_TLS_CERT."`
}

// IsZero reports whether there is none.
func (c Certificate) IsZero() bool { return c.Cert == "" }

// Admin is the listener for probes and metrics.
type Admin struct {
	Listen Address `default:"127.0.0.1:8081" empty:"no such listener" desc:"Where /healthz, /readyz and /metrics are served, and /debug/ while it is a loopback address: host:port."`

	ReadyWithoutNATS Patience `split_words:"true" default:"forever" desc:"How long /readyz answers 200 after the connection to NATS was lost: a duration such as 30s, after which it answers 503 until NATS is back, or forever. Where all bridges share one NATS, all leave the load balancer then."`
}

// NATS says which servers to connect to, and how to sign in. With neither URL nor Context the server is embedded.
type NATS struct {
	URL     ServerURL `unset:"an embedded server" example:"nats://nats.example.com:4222" desc:"NATS servers to connect to: nats, tls, ws or wss URLs, separated by commas."`
	Context string    `unset:"none" example:"production" desc:"Connect as this context of the nats command line tool says, instead of by URL."`
	Creds   string    `unset:"none" example:"/run/secrets/tailwater.creds" desc:"Credentials file (JWT and seed) to sign in to NATS with."`
	Nkey    string    `unset:"none" example:"/run/secrets/tailwater.nk" desc:"NKey seed file to sign in to NATS with."`
	TLS     TLS

	JsDomain Domain `split_words:"true" unset:"that of NATS_CONTEXT, else none" example:"hub" desc:"JetStream domain that holds the streams, where it is not that of the servers connected to: a hub's, behind a leaf node."`
}

// TLS is for the connection to NATS. All three are paths of PEM files.
type TLS struct {
	CA   string `unset:"the system's authorities" example:"/etc/tailwater/ca.pem" desc:"PEM file of the certificate authorities that the NATS servers are verified against."`
	Cert string `unset:"none" example:"/etc/tailwater/cert.pem" desc:"PEM file of the client certificate to sign in to NATS with; needs NATS_TLS_KEY."`
	Key  string `unset:"none" example:"/run/secrets/key.pem" desc:"PEM file of the private key of NATS_TLS_CERT."`
}

// Embed is the NATS server in this process. It means something only where Settings.Embedded is true. What Config says
// wins over the defaults here, but not over what was set: ask Settings.IsSet.
type Embed struct {
	Listen Address `default:"127.0.0.1:4222" empty:"in-process only, no listener" desc:"Where the embedded NATS server listens for other NATS clients, such as nats pub: host:port. Where tokens are taken (AUTH_), it asks them for the credential in tailwater-nats.json of EMBED_DIR, a context of the nats command."`
	Dir    string  `default:"tailwater-data" desc:"Directory of the embedded server's streams and credentials; it is created with mode 0700, and refused where another user owns it or may write there."`
	Config string  `unset:"none" example:"/etc/tailwater/nats-server.conf" desc:"nats-server configuration file for the embedded server (accounts, cluster, leaf nodes); it wins except over EMBED_ settings that are set. Each listener that it opens must be a loopback one, or ask who comes to sign in."`
	Sync   Sync    `default:"1s" desc:"How far back a crash of the operating system may reach: the interval at which streams are flushed to disk, or always for each message."`
}

// Anonymous is what callers without a token may do.
type Anonymous struct {
	Subscribe Subjects `embedded:"chat.>,time.>" unset:"none" empty:"none" example:"chat.>,time.>" desc:"Subjects that anyone may read: NATS subjects or filters, separated by commas."`
	Publish   Subjects `embedded:"chat.>" unset:"none" empty:"none" example:"chat.>" desc:"Subjects that anyone may publish to: NATS subjects or filters, separated by commas."`
	Wildcards bool     `default:"false" desc:"Whether anyone may also read with the wildcards * and > inside ANONYMOUS_SUBSCRIBE: true or false."`
}

// Auth is how callers sign in: with tokens that one kind of key is for.
type Auth struct {
	JWTSecret    Secret        `split_words:"true" unset:"none" example:"change-me-to-the-output-of-openssl-rand-base64-32" desc:"Secret that tokens (JWT) are signed with, by HS256, HS384 or HS512: at least 32 bytes, as openssl rand -base64 32 makes them. Whoever has it can make tokens."`
	JWTPublicKey PublicKeys    `split_words:"true" unset:"none" example:"/etc/tailwater/tokens.pem" desc:"PEM file of the public key that tokens are signed for (RS256, ES256, EdDSA and their like), or what is in it; several keys in it are all good."`
	JwksURL      KeySetURL     `split_words:"true" unset:"none" example:"https://id.example.com/.well-known/jwks.json" desc:"https URL of the key set (JWKS) of an identity provider, whose keys tokens are signed with; http on this machine."`
	JwksProxy    ProxyURL      `split_words:"true" unset:"none" example:"http://proxy.example.com:3128" desc:"Proxy through which the key set is read: an http or https URL. HTTPS_PROXY and its like are not looked at."`
	Issuer       string        `unset:"any" example:"https://id.example.com" desc:"What the claim iss of tokens must be."`
	Audience     string        `unset:"any" example:"tailwater" desc:"What must be among the aud of tokens."`
	MaxLife      time.Duration `split_words:"true" default:"720h" desc:"How long a token may be good, from now on: a duration such as 720h, 30 days. One whose exp is further away is refused."`
	Cookie       CookieName    `unset:"none" example:"tailwater" desc:"Name of a cookie to sign in with. POST /session sets it to the token, sealed with AUTH_TICKET_SECRET, else with AUTH_JWT_SECRET; a program of the same host may set it to a token. Where browsers come over TLS, here or at a proxy of HTTP_TRUSTED_PROXIES, the name is __Host- and this."`
	TicketSecret Secret        `split_words:"true" unset:"no tickets" example:"change-me-too-to-the-output-of-openssl-rand-base64-32" desc:"Secret that the tickets of POST /session are sealed with, for EventSource(url?ticket=…): at least 32 bytes, the same on every bridge, and not that of the tokens."`
}

// SignsIn reports whether tokens are taken at all.
func (a Auth) SignsIn() bool {
	return !a.JWTSecret.IsZero() || len(a.JWTPublicKey.Keys) > 0 || a.JwksURL != ""
}

// Kept is the stream that Tailwater keeps of its own. It is embedded in Settings, so that HISTORY is a setting beside
// HISTORY_STREAM and the others.
type Kept struct {
	History              Distinct   `embedded:"chat.>" unset:"none" empty:"none" example:"chat.>" desc:"Subjects that are kept in a stream of Tailwater's own: NATS subjects or filters that do not overlap, separated by commas. A subject that another stream holds is read from there."`
	HistoryStream        StreamName `default:"TAILWATER" split_words:"true" desc:"Name of that stream. With an embedded server it is brought to the settings at each start; on another it is made where no stream holds the subjects, and never changed."`
	HistoryMaxAge        Age        `default:"24h" split_words:"true" desc:"How long a message is kept: a duration such as 24h, 0s for any time."`
	HistoryMaxBytes      Size       `default:"1GiB" split_words:"true" desc:"How much is kept in all, the oldest going first: bytes, or with a unit such as GB or GiB; 0 for any amount."`
	HistoryMaxPerSubject Count      `default:"10000" split_words:"true" desc:"How many messages of each subject are kept; 0 for any number, 1 for the newest value alone."`
	HistoryReplicas      int        `default:"1" split_words:"true" desc:"On how many servers of a cluster the stream is kept: 1 to 5."`
	HistoryStorage       Storage    `default:"file" split_words:"true" desc:"Where it is kept: file or memory. It cannot be changed later."`
}

// Limit is what one process, and one connection, may take.
type Limit struct {
	Connections      int           `default:"50000" desc:"Connections of browsers that may be open at once, those that ask for nothing included; fewer where the process may have fewer file descriptors, of which it leaves some to NATS and files. The log and check say so."`
	ConnectionsPerIP Count         `split_words:"true" unexposed:"0" default:"200" desc:"How many of them one address may have, or one IPv6 network of 64 bits; a network of 56 bits four times as many, one of 48 bits 16 times; 0 for any number. Over TLS, an address is read from at a KiB a second for each that it may have, besides bodies. Connections of HTTP_TRUSTED_PROXIES are not counted so, but what their clients ask for is."`
	ReadRate         Rate          `split_words:"true" unexposed:"0" default:"200/s" desc:"How many GETs and HEADs an address may send, counted like its connections, such as 200/s; after a pause, as many at once as in five seconds. 0 for any number."`
	PublishRate      Rate          `split_words:"true" default:"20/s" desc:"How many messages a caller may post, such as 20/s or 60/m; after a pause, as many at once as in five seconds. 0 for any number."`
	Body             Bytes         `default:"256KiB" desc:"Largest body that may be published, up to 64MiB: bytes, or with a unit such as KB (1000) or KiB (1024)."`
	Subjects         int           `default:"32" desc:"Subjects that one connection may read."`
	WriteTimeout     time.Duration `default:"20s" split_words:"true" desc:"A client that takes nothing for so long is cut off: a duration such as 20s."`
	ConnectionAge    time.Duration `default:"1h" split_words:"true" desc:"A connection of this age, give or take 20 %, is asked to come back: a duration such as 1h, more than 0."`
}

// Drain is how the process leaves.
type Drain struct {
	Delay  time.Duration `default:"0s" desc:"How long, after a stop was asked for, open connections are left alone, so that load balancers can notice; new ones are asked to come back after the stop: a duration, 0s for not at all."`
	Window time.Duration `embedded:"1s" default:"15s" desc:"Over how long the open connections are closed, spread evenly, however many there are; browsers are asked to come back a little after it has passed: a duration, 0s for all at once."`
}

// Log is what the process says about itself, on standard error. Format is empty where it was not set: the command
// chooses by what standard error is.
type Log struct {
	Level  slog.Level `default:"info" desc:"The least severe messages to log: debug, info, warn or error."`
	Format string     `unset:"text on a terminal, else json" example:"json" desc:"How messages are written: text or json."`
}

// Demo gives a first look something to show.
type Demo struct {
	Time bool `embedded:"true" unset:"false" example:"false" desc:"Publish the time of day on time.now each second: true or false."`
}

// Embedded reports whether the NATS server runs in this process: where no other one is named.
func (s *Settings) Embedded() bool {
	return s.NATS.URL.IsZero() && s.NATS.Context == ""
}

// IsSet reports whether a setting was given in the environment or the file, rather than left to its default. The name
// is written without the prefix, as in EMBED_LISTEN.
func (s *Settings) IsSet(name string) bool {
	return s.set[name]
}

// Hints are about what was accepted, and is probably not what was meant. Each is a line for whoever starts the program.
func (s *Settings) Hints() []string { return s.hints }
