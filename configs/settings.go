// Package configs holds the settings of Tailwater: one struct, read from environment variables that begin with
// TAILWATER_, and the documentation that is generated from it.
//
// The names follow the nesting: Settings.HTTP.Listen is TAILWATER_HTTP_LISTEN. The tags of a field hold everything about its
// setting:
//
//	default   the value of a setting that is not set
//	embedded  the same, but only if the NATS server runs in this process
//	unexposed the same, but only if no other machine can reach the bridge (Exposed)
//	unset     the default in words, if none of these tags holds a value
//	empty     the meaning of a set but empty value; without this tag an empty value is an error
//	desc      what the setting does, with its unit
//	example   a value for the generated example.env, if there is no default to show
//
// Load reads and checks the settings. It reports all problems at once, and refuses what would be unsafe. Names without the prefix
// are never read: a shell's own NATS_URL must not turn a first try into production.
package configs

import (
	"fmt"
	"log/slog"
	"os"
	"time"
)

//go:generate go test -run ^TestGenerated$ -update .

// Prefix begins the name of every setting, followed by an underscore.
const Prefix = "TAILWATER"

// Settings are all settings, resolved: after Load every field holds the value to use, set or default. They can be logged: secrets
// do not show.
type Settings struct {
	HTTP      HTTP
	Admin     Admin
	NATS      NATS
	Embed     Embed
	Routes    Routes `unset:"none" example:"/chat/{room}=chat.{room},/time=time.now" desc:"Your own URL patterns with their subjects, separated by commas, in addition to the built-in /events/{subject...}. A route to $KV.<bucket>. allows anyone to read these keys of the bucket. A route with {claim.<name>} allows each caller to read the subject that its own token names, and with POST before the path also to write it. A route with ASK before the path asks: a posted body is a question to the program that answers on the subject, as in ASK /ask/{model}=llm.{model}. Options may follow, each after a blank: silence=5m instead of ANSWERS_SILENCE, and queries if that program may ask back."`
	Anonymous Anonymous
	Auth      Auth
	Kept
	Presence Subjects `embedded:"chat.>" unset:"none" empty:"none" example:"chat.>" desc:"Subjects whose readers are listed: the members of a subject are the clients with an open connection on it. Clients that may read a subject may also read its list, with ?presence=1 or at /presence/. NATS subjects or filters, separated by commas. The lists are in the key-value bucket tailwater_presence, which the bridge creates."`
	Asked
	Memory Bytes `unset:"a quarter of the container's limit, or of the machine's memory if there is no limit; at most 256MiB" example:"256MiB" desc:"Memory for events, pages of history and bodies together: at least 8MiB, and four times LIMIT_BODY. A quarter as much again is for messages arriving from NATS. Bytes, or with a unit such as MiB."`
	Limit  Limit
	Drain  Drain
	Log    Log
	Demo   Demo

	// Machine is what the system allows this process, whatever the settings say.
	Machine Machine `ignored:"true"`

	// EmbedFile is what Inspect has read of Embed.Config, so that the server is started with what was inspected. Inspect sets it, and
	// knows its type; nil for none.
	EmbedFile any `ignored:"true"`

	set       map[string]bool // by name without the prefix
	exposed   []Exposure
	hints     []string
	telemetry map[string]Secret // the variables of OpenTelemetry in the file, which the environment does not set
}

// HTTP is the listener for browsers.
//
// Origins and Hosts are compared exactly. If they are not set and only this machine can be in front of the bridge, LoopbackOrigins
// and LoopbackHosts are true instead: loopback names (localhost, 127.0.0.0/8, [::1]) are accepted, at any port. Otherwise no Origins
// means that no other page may read, and no Hosts means that any Host header is accepted.
type HTTP struct {
	Listen         Address `default:"127.0.0.1:8080" desc:"Address for browsers: host:port; an empty host means every interface."`
	Origins        Origins `unset:"loopback names at any port; if exposed: none" empty:"none" example:"https://chat.example.com" desc:"Origins of other pages that may read and post: exact, as https://host[:port], separated by commas."`
	Hosts          Hosts   `unset:"loopback names; any if HTTP_LISTEN is not loopback or HTTP_TRUSTED_PROXIES is set" example:"chat.example.com" desc:"Names allowed in the Host header, without port, separated by commas; other names are refused, against DNS rebinding."`
	Loops          Loops   `default:"auto" desc:"How many event loops write connections over plain HTTP/1.1, on Linux: auto for one loop on up to two processors, else one per two processors; or a number; or 0 for one goroutine per connection, as with TLS and on other systems."`
	Pages          bool    `unexposed:"true" unset:"false" example:"true" desc:"Whether to serve the pages / (the chat), /clock, /inspect and /examples/: true or false. /client.js is always served."`
	TLS            Certificate
	TrustedProxies Networks `split_words:"true" unset:"none" empty:"none" example:"10.0.0.0/8,127.0.0.1" desc:"Proxies in front whose X-Forwarded-For and X-Forwarded-Proto headers are trusted: networks or addresses, separated by commas. Without it, all clients behind a proxy count as one address."`

	LoopbackOrigins bool `ignored:"true"`
	LoopbackHosts   bool `ignored:"true"`
}

// Certificate turns on TLS, and with it HTTP/2, if it is set. Both are paths of PEM files, which are read again when they change.
type Certificate struct {
	Cert string `unset:"none" example:"/etc/tailwater/tls/cert.pem" desc:"PEM file of the certificate and its intermediate certificates: turns on TLS and HTTP/2 for browsers; needs HTTP_TLS_KEY. The file is read again when it changes."`
	Key  string `unset:"none" example:"/run/secrets/tls-key.pem" desc:"PEM file of the private key of HTTP_TLS_CERT."`
}

// IsZero reports whether there is no certificate.
func (c Certificate) IsZero() bool { return c.Cert == "" }

// Admin is the listener for probes and metrics.
type Admin struct {
	Listen Address `default:"127.0.0.1:8081" empty:"no such listener" desc:"Address of /healthz, /readyz and /metrics, and if it is a loopback address, of /debug/: host:port."`

	ReadyWithoutNATS Patience `split_words:"true" default:"forever" desc:"How long /readyz answers 200 after the connection to NATS was lost: a duration such as 30s, or forever. Then it answers 503 until NATS is back; if all bridges share one NATS, all leave the load balancer."`
}

// NATS says which servers to connect to, and how to sign in. With neither URL nor Context the server is embedded.
type NATS struct {
	URL     ServerURL `unset:"an embedded server" example:"nats://nats.example.com:4222" desc:"NATS servers to connect to: nats, tls, ws or wss URLs, separated by commas."`
	Context string    `unset:"none" example:"production" desc:"Context of the nats command line tool to connect with, instead of a URL."`
	Creds   string    `unset:"none" example:"/run/secrets/tailwater.creds" desc:"Credentials file (JWT and seed) for signing in to NATS."`
	Nkey    string    `unset:"none" example:"/run/secrets/tailwater.nk" desc:"NKey seed file for signing in to NATS."`
	TLS     TLS

	Service  ServiceName `default:"tailwater" empty:"none" desc:"Name under which nats micro lists this bridge. Whoever NATS allows to publish on $TAILWATER.<name>.> may ask it for its connections, end some, and stop it: callers never can, and with AUTH_ the clients of the embedded server need its admin context. Letters, digits, - and _."`
	JsDomain Domain      `split_words:"true" unset:"that of NATS_CONTEXT, else none" example:"hub" desc:"JetStream domain of the streams, if it is not that of the servers connected to: a hub's, behind a leaf node."`
}

// TLS is for the connection to NATS. All three are paths of PEM files.
type TLS struct {
	CA   string `unset:"the system's authorities" example:"/etc/tailwater/ca.pem" desc:"PEM file of the certificate authorities that verify the NATS servers."`
	Cert string `unset:"none" example:"/etc/tailwater/cert.pem" desc:"PEM file of the client certificate for signing in to NATS; needs NATS_TLS_KEY."`
	Key  string `unset:"none" example:"/run/secrets/key.pem" desc:"PEM file of the private key of NATS_TLS_CERT."`
}

// Embed is the NATS server in this process. It is used only if Settings.Embedded is true. The file of Config wins over defaults here,
// but not over values that are set: see Settings.IsSet.
type Embed struct {
	Listen Address `default:"127.0.0.1:4222" empty:"in-process only, no listener" desc:"Address of the embedded NATS server for other NATS clients, such as nats pub: host:port. If tokens are checked (AUTH_), clients need the credential in tailwater-nats.json of EMBED_DIR, a context of the nats command."`
	Dir    string  `default:"tailwater-data" desc:"Directory of the embedded server's streams and credentials; created with mode 0700, and refused if another user owns it or may write there."`
	Config string  `unset:"none" example:"/etc/tailwater/nats-server.conf" desc:"nats-server configuration file for the embedded server (accounts, cluster, leaf nodes); it wins over defaults, but not over EMBED_ settings that are set. Each of its listeners must be on loopback, or require a sign-in."`
	Sync   Sync    `default:"1s" desc:"How much a crash of the operating system may lose: the interval at which streams are flushed to disk, or always for each message."`
}

// Anonymous is what every caller may do, also without a token.
type Anonymous struct {
	Subscribe Subjects `embedded:"chat.>,time.>" unset:"none" empty:"none" example:"chat.>,time.>" desc:"Subjects that anyone may read: NATS subjects or filters, separated by commas."`
	Publish   Subjects `embedded:"chat.>" unset:"none" empty:"none" example:"chat.>" desc:"Subjects that anyone may publish to: NATS subjects or filters, separated by commas."`
	Wildcards bool     `default:"false" desc:"Whether anyone may also read with the wildcards * and > inside ANONYMOUS_SUBSCRIBE: true or false."`
}

// Auth is how callers sign in: with tokens, verified by one kind of key.
type Auth struct {
	JWTSecret    Secret        `split_words:"true" unset:"none" example:"change-me-to-the-output-of-openssl-rand-base64-32" desc:"Secret of tokens (JWT) signed by HS256, HS384 or HS512: at least 32 bytes, such as the output of openssl rand -base64 32. The secret is enough to make tokens."`
	JWTPublicKey PublicKeys    `split_words:"true" unset:"none" example:"/etc/tailwater/tokens.pem" desc:"PEM file of the public key that verifies tokens (RS256, ES256, EdDSA and the like), or its content. Of several keys, each is accepted."`
	JwksURL      KeySetURL     `split_words:"true" unset:"none" example:"https://id.example.com/.well-known/jwks.json" desc:"https URL of the key set (JWKS) of an identity provider, which verifies tokens; http on this machine."`
	JwksProxy    ProxyURL      `split_words:"true" unset:"none" example:"http://proxy.example.com:3128" desc:"Proxy for reading the key set: an http or https URL. HTTPS_PROXY and the like are ignored."`
	Issuer       string        `unset:"any" example:"https://id.example.com" desc:"The claim iss that tokens must have."`
	Audience     string        `unset:"any" example:"tailwater" desc:"A value that the claim aud of tokens must contain."`
	MaxLife      time.Duration `split_words:"true" default:"720h" desc:"The longest time until a token expires: a duration such as 720h, 30 days. A token whose exp is further away is refused."`
	Cookie       CookieName    `unset:"none" example:"tailwater" desc:"Name of a cookie for signing in. POST /session sets it to the token, sealed with AUTH_TICKET_SECRET, else with AUTH_JWT_SECRET; a program of the same host may set it to a token. If browsers use TLS, here or at a proxy of HTTP_TRUSTED_PROXIES, the name gets the prefix __Host-."`
	TicketSecret Secret        `split_words:"true" unset:"no tickets" example:"change-me-too-to-the-output-of-openssl-rand-base64-32" desc:"Secret that seals the tickets of POST /session, for EventSource(url?ticket=…): at least 32 bytes, the same on every bridge, and not the secret of the tokens."`
}

// SignsIn reports whether tokens are accepted at all.
func (a Auth) SignsIn() bool {
	return !a.JWTSecret.IsZero() || len(a.JWTPublicKey.Keys) > 0 || a.JwksURL != ""
}

// Kept is Tailwater's own stream, and that of answers. It is embedded in Settings, so that HISTORY is a setting beside HISTORY_STREAM and the others.
type Kept struct {
	History              Subjects      `embedded:"chat.>,answers.>" unset:"none" empty:"none" example:"chat.>" desc:"Subjects to keep in Tailwater's own stream: NATS subjects or filters that do not overlap, separated by commas. A subject that another stream holds is read from that stream. With an embedded server, subjects below ANSWERS have a stream of their own, so that no answers take another message's place."`
	HistoryStream        StreamName    `default:"TAILWATER" split_words:"true" desc:"Name of that stream; the one for answers is named TAILWATER_ANSWERS after it. With an embedded server, each start changes it to these settings. With another server, it is made if no stream holds the subjects, and never changed."`
	HistoryMaxAge        time.Duration `default:"24h" split_words:"true" desc:"How long a message is kept: a duration such as 24h, or 0s for no limit."`
	HistoryMaxBytes      Bytes         `default:"1GiB" split_words:"true" desc:"How much is kept in all, beside answers with an embedded server; the oldest messages are removed first: bytes, or with a unit such as GB or GiB; 0 for no limit."`
	HistoryMaxPerSubject Count         `default:"10000" split_words:"true" desc:"How many messages of each subject are kept; 0 for no limit, 1 for the newest value alone."`
	HistoryReplicas      int           `default:"1" split_words:"true" desc:"How many servers of a cluster hold the stream, and the bucket of TAILWATER_PRESENCE: 1 to 5."`
	HistoryStorage       string        `default:"file" split_words:"true" desc:"Where streams are kept: file or memory. This cannot be changed later."`
}

// Asked is how questions are answered, on routes with ASK. It is embedded in Settings, so that ANSWERS is a setting.
type Asked struct {
	Answers         Token         `default:"answers" empty:"no questions, and no subjects for answers" desc:"First token of the subjects on which questions are answered (ROUTES with ASK): the answers to one question have a subject below it, which only the asker reads, at /answers/. No token opens these subjects, also if this bridge has no such route, because another bridge before the same NATS may: give all of them the same value. If your own messages have such subjects, set another word, or nothing. If a stream holds the answers, as HISTORY does by default with an embedded server, they survive reloads and restarts."`
	AnswersMaxBytes Bytes         `default:"64MiB" split_words:"true" desc:"With an embedded server, how much is kept of answers in all, in the stream of their own; the oldest are removed first: bytes, or with a unit such as GB or GiB; 0 for no limit. A flood of large answers can take twice as much memory. HISTORY_MAX_AGE and the other limits are the same as for HISTORY."`
	AnswersSilence  time.Duration `default:"60s" split_words:"true" desc:"How long a question may stay without an answer, or without the next one, before it has failed: a duration such as 60s."`
}

// Limit is what one process, and one connection, may use.
type Limit struct {
	Connections      int           `default:"50000" desc:"Connections that may be open at once, including those without a request. If the process may have too few file descriptors, because NATS and files need some too, the limit is lower; the log and check say so."`
	ConnectionsPerIP Count         `split_words:"true" unexposed:"0" default:"200" desc:"Connections that one address may have, or one IPv6 network of 64 bits; a network of 56 bits four times as many, one of 48 bits 16 times; 0 for no limit. Over TLS, an address may send a KiB a second for each of these connections, in addition to bodies. Behind HTTP_TRUSTED_PROXIES, the requests of their clients count instead."`
	ReadRate         Rate          `split_words:"true" unexposed:"0" default:"200/s" desc:"GETs and HEADs that one address may send, counted like its connections, such as 200/s; after a pause, as many at once as in five seconds; 0 for no limit."`
	PublishRate      Rate          `split_words:"true" default:"20/s" desc:"Messages that one caller may post, such as 20/s or 60/m; after a pause, as many at once as in five seconds; 0 for no limit."`
	Runs             Count         `unexposed:"0" default:"20" desc:"Questions without a complete answer that one caller may have on this bridge; 0 for no limit."`
	Body             Bytes         `default:"256KiB" desc:"Largest body that may be published, up to 64MiB: bytes, or with a unit such as KB (1000) or KiB (1024)."`
	Subjects         int           `default:"32" desc:"Subjects that one connection may read."`
	WriteTimeout     time.Duration `default:"20s" split_words:"true" desc:"How long a client may receive nothing before it is disconnected: a duration such as 20s."`
	ConnectionAge    time.Duration `default:"1h" split_words:"true" desc:"The age, give or take 20 %, at which a connection is asked to reconnect: a duration such as 1h, more than 0."`
}

// Drain is how the process stops.
type Drain struct {
	Delay  time.Duration `default:"0s" desc:"How long open connections stay after a stop was requested, so that load balancers can notice; new connections are asked to come back later: a duration, or 0s for no delay."`
	Window time.Duration `embedded:"1s" default:"15s" desc:"The time over which open connections are closed, spread evenly; browsers are asked to come back soon, because another bridge may answer then, and the last ones after a restart: a duration, or 0s for all at once."`
}

// Log is what the process logs on standard error. If Format is empty, the command chooses by what standard error is.
type Log struct {
	Level  slog.Level `default:"info" desc:"The least severe messages to log: debug, info, warn or error."`
	Format string     `unset:"text on a terminal, else json" example:"json" desc:"How messages are written: text or json."`
}

// Demo shows something at a first look.
type Demo struct {
	Time bool `embedded:"true" unset:"false" example:"false" desc:"Publish the time of day on time.now each second: true or false."`
}

// Embedded reports whether the NATS server runs in this process, because no other is configured.
func (s *Settings) Embedded() bool {
	return s.NATS.URL.IsZero() && s.NATS.Context == ""
}

// Hints are about accepted values that are probably not intended. Each is one line for the operator.
func (s *Settings) Hints() []string { return s.hints }

// ExportTelemetry sets the variables of OpenTelemetry (OTEL_…) that only the file has in the environment of the process: their library reads nothing else.
func (s *Settings) ExportTelemetry() error {
	for name, value := range s.telemetry {
		if err := os.Setenv(name, value.Reveal()); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
