package e2e

// What strangers might send to reach what is not theirs.

import (
	"fmt"
	"net/url"
	"strings"
)

// intrusion is a request as it is sent: nothing cleans its target.
type intrusion struct {
	target  string
	headers []string // whole lines
}

func (i intrusion) lines() string { return strings.Join(i.headers, "\r\n") }

// saysLength reports whether the request states the length of its body.
func (i intrusion) saysLength() bool {
	return strings.Contains(i.lines(), "Content-Length") || strings.Contains(i.lines(), "Transfer-Encoding")
}

// forbidden are subjects that nobody was granted, and filters that reach them.
var forbidden = []string{
	// Of another tenant, or of somebody else.
	"tenant.other.plans", "tenant.other.>", "tenant.>", "tenant.*.plans", "tenant.*.*", "tenant.ACME.plans", "tenant.acme.plans", "tenant.acme", "tenant", "user.other.inbox", "user.other.*", "user.*.inbox",
	"user.>", "user.alice.inbox", "user.other.outbox", "user.{claim.sub}.inbox", "chat.staff.plans", "chat.staff.>", "chat.staff.*", "chat.*.plans", "chat.*.*", "chat.>", "chat.*.>",
	"secret.plans", "secret.>", "secret.*", "*.plans", "secret", "SECRET.plans", "secret.plans.", ".secret.plans", "chat.>,secret.>", "chat.room1 secret.plans",
	"chat.room1\tsecret.plans", "chat.room1\r\nSUB secret.> 1", "chat.room1\nSUB > 1\n", "chat.room1\x00secret.plans", "secret..plans", "chat..secret.plans",
	// Everything.
	">", "*", "*.*", "*.>", "*.*.*", ">.>", "**", ">>", "chat>", "chat*", "chat.>.x", "chat.r*m", "*hat.room1", "ch*t.>", ".", "..", "...", ".>", "chat.", ".chat",
	// Of NATS itself.
	"$SYS.>", "$SYS.CANARY.x", "$SYS.*.CONNECT", "$SYS.REQ.SERVER.PING", "$SYS.ACCOUNT.$G.CONNECT", "$sys.canary.x",
	"$JS.API.>", "$JS.API.CANARY.x", "$JS.API.STREAM.LIST", "$JS.API.STREAM.DELETE.TAILWATER", "$JS.API.STREAM.PURGE.SECRET", "$JS.API.STREAM.MSG.GET.SECRET",
	"$JS.API.DIRECT.GET.SECRET", "$JS.API.DIRECT.GET.SECRET.secret.plans", "$JS.API.CONSUMER.CREATE.SECRET", "$JS.EVENT.ADVISORY.>", "$JS.ACK.>", "$JS.FC.>", "$JSC.>",
	"$KV.>", "$KV.canary.key", "$KV.canary.>", "$KV.*.key", "$KV.config", "$KV.config.>", "$KV", "$O.>", "$O.files.M.x", "$SRV.PING", "$SRV.>", "$TAILWATER.tailwater.kick", "$TAILWATER.>", "$MQTT.>", "$MQTT.sess.x", "$G.>",
	"_INBOX.>", "_INBOX.canary.x", "_INBOX.*", "_inbox.canary.x", "_R_.>", "_GR_.>", "_HBI.x", "_.>", "$", "$.>", "_", "$*.>", "*.API.>", "*.canary.key", "*.canary.>",
	// Names that look alike, or that decode to something else.
	"secret\u200b.plans", "\u200bsecret.plans", "sеcret.plans", "ｓｅｃｒｅｔ.plans", "secret\u2024plans", "＄SYS.>", "\ufeff$SYS.>", "$\u200dSYS.>", "chat.\u202e>", "chat.\ufffd", "chat.\xff", "chat.\xc0\xae",
	"%24SYS.%3E", "%2524SYS.%253E", "%73ecret.plans", "secret%2eplans", "secret%2Fplans", "chat.%2e%2e.secret", "$SYS%00.>", "+ACQ-SYS.>", "&#36;SYS.>", "\\u0024SYS.>", "secret/plans", "chat/../secret/plans",
	// Too long, too deep.
	strings.Repeat("a", 513), "chat." + strings.Repeat("a.", 40) + "a", strings.Repeat(">.", 300), strings.Repeat("$", 200), strings.Repeat("secret.plans,", 50),
}

// paths are request targets for which there is no subject, or another than it seems.
var paths = []string{
	"/", "//", "///", "/.", "/..", "/../", "/../secret/plans", "/events", "/events/", "/events//", "/events//secret/plans", "//events/secret.plans", "/./events/secret.plans",
	"/events/./secret.plans", "/events/../events/secret.plans", "/events/chat/../secret/plans", "/events/chat/%2e%2e/secret/plans", "/events/chat/..%2fsecret%2fplans", "/events/chat%2f..%2fsecret.plans",
	"/events/secret%2eplans", "/events/secret%2fplans", "/events/%73%65cret/plans", "/events/secret.plans/", "/events/secret.plans//", "/events/secret.plans?", "/events/secret.plans#chat.room1", "/events/secret.plans%23",
	"/events/secret.plans;chat.room1", "/events/chat.room1;secret.plans", "/events/chat.room1%00secret.plans", "/events/chat.room1%0asecret.plans", "/events/chat.room1%0d%0aX-Injected:%201", "/events/chat.room1%20HTTP/1.1%0d%0aX-Injected:%201",
	"/events/%", "/events/%2", "/events/%zz", "/events/%u0073ecret.plans", "/events/%c0%ae%c0%ae/secret/plans", "/events/%ff", "/events/%f0%9f%98", "/events/%e2%80%ae", "/EVENTS/secret.plans", "/Events/secret.plans", "/event/secret.plans",
	"/events\\secret.plans", "/events/\\secret.plans", "\\events\\secret.plans", "/events/chat\\..\\secret.plans", "/events/{subject}", "/events/{subject...}", "/events/*", "/events/>", "/events/%3E", "/events/%3e?since=all", "/events/%2A",
	"/room/", "/room/..", "/room/%2e%2e", "/room/a/b", "/room/a.b", "/room/a%2eb", "/room/%2a", "/room/%3e", "/room/x%20secret.plans", "/room/x,secret.plans", "/room", "/room//", "/ROOM/a", "/room/$SYS", "/room/_INBOX",
	"/deep/", "/deep/..", "/deep/../../secret/plans", "/deep/%2e%2e/secret", "/deep/a/%2e%2e/%2e%2e/secret", "/deep/.../x", "/deep//x", "/deep/x//y", "/deep/%3e", "/deep/x/%3e", "/deep/*/x", "/deep",
	"/config/", "/config/..", "/config/../canary/key", "/config/%2e%2e/canary/key", "/config/%3e", "/config/*", "/config", "/config/.canary.key", "/config/key%2f..%2f..%2fcanary", "/configs/key", "/config/..canary.key",
	"/web/", "/web/..", "/web/../events/secret.plans", "/web/%2e%2e/secret", "/web/chat.html", "/web/web.go", "/web//chat.js", "/web/chat.js%00", "/web/.env", "/.env", "/.git/config", "/tailwater-data", "/clock/", "/clock/..", "/index.html",
	"/metrics", "/healthz", "/readyz", "/debug/pprof/", "/debug/pprof/heap", "/debug/vars", "/varz", "/connz", "/jsz", "/subsz", "/accountz", "/admin", "/session", "/presence/secret.plans", "/inspect",
	"http://127.0.0.1/events/secret.plans", "http://localhost/events/secret.plans", "http://secret.example/events/chat.room1", "https://localhost/events/%24SYS.%3E", "nats://localhost/secret.plans", "file:///etc/passwd", "localhost:80", "*", "?subject=secret.plans", "",
	"/events?subject=", "/events?subject=chat.room1&subject=", "/events?subject=chat.room1;subject=secret.plans", "/events?subject=chat.room1%26subject=secret.plans", "/events?Subject=secret.plans", "/events?subject[]=secret.plans", "/events?subject=chat.room1%2csecret.plans",
	"/events/chat.room1?subject=secret.plans", "/events/chat.room1?subject=%3E", "/events?" + strings.Repeat("subject=chat.a&", 40), "/events?subject=chat.room1&format=%0d%0adata:", "/events/chat.room1?format=raw%0a%0adata:x", "/events/chat.room1?event=secret.plans",
	"/events/chat.room1?event=tailwater:open", "/events/chat.room1?poll=1&limit=99999999999999999999", "/events/chat.room1?poll=1&limit=-1", "/events/secret.plans?poll=1", "/events/%3E?poll=1", "/events?subject=chat.room1&subject=secret.plans&poll=1",
	"/events/chat.room1?since=-1h", "/events/chat.room1?since=99999999999h", "/events/chat.room1?since=0000-00-00T00:00:00Z", "/events/chat.room1?%", "/events/chat.room1?a=%zz", "/events/chat.room1?;", "/events/" + strings.Repeat("a/", 200), "/" + strings.Repeat("../", 200) + "secret",
}

// personal are requests that mean something else for each caller, and attempts to be somebody else.
var personal = []intrusion{
	{"/inbox?since=all", nil},
	{"/mine/plans?since=all", nil},
	{"/events/tenant.acme.plans?since=all", nil},
	{"/events/tenant.other.plans?since=all", nil},
	{"/events/chat.staff.plans?since=all", nil},
	{"/outbox", nil},
	{"/inbox/other", nil},
	{"/inbox/../user.other.inbox", nil},
	{"/inbox?sub=other&claim.sub=other&subject=user.other.inbox", nil},
	{"/inbox", []string{"Sub: other", "X-User: other", "X-Forwarded-User: other", "Remote-User: other"}},
	{"/mine/../other/plans", nil},
	{"/mine/%2e%2e/other/plans", nil},
	{"/mine/..other.plans", nil},
	{"/mine/*", nil},
	{"/mine/%3E?since=all", nil},
	{"/mine/plans,tenant.other.plans", nil},
	{"/mine/", nil},
	{"/mine", nil},
	{"/events?subject=tenant.acme.plans&subject=tenant.other.plans&since=all", nil},
	{"/events?subject=chat.room1&subject=chat.staff.plans&since=all", nil},
	{"/events/tenant.other.plans?poll=1", nil},
	{"/events/chat.staff.plans?poll=1", nil},
	{"/events/%3E?poll=1", nil},
	{"/events/tenant.%3E?poll=1", nil},
	{"/events/user.%3E", nil},
	{"/session", nil},
	{"/session?ticket=x", nil},
	{"/session/../inbox", nil},
	{"/inbox?ticket=", nil},
	{"/inbox?ticket=%00", nil},
	{"/inbox", []string{"Cookie: tailwater=", "Cookie: tailwater=other"}},
	{"/inbox", []string{"Authorization: bearer"}},
	{"/inbox", []string{"Authorization: Bearer other"}},
	{"/inbox", []string{"Authorization: Basic b3RoZXI6b3RoZXI="}},
	{"/inbox", []string{"Proxy-Authorization: Bearer other"}},
	{"/inbox", []string{"Cookie: TAILWATER=other; tailwater =other"}},
	{"/inbox?access_token=eyJ.eyJ.x", nil},
	{"/inbox?token=eyJ.eyJ.x", nil},
	{"/inbox?jwt=eyJ.eyJ.x", nil},
	{"/inbox", []string{"Origin: http://secret.example"}},
	{"/inbox", []string{"Sec-Fetch-Site: cross-site"}},
	{"/outbox", []string{"Sec-Fetch-Site: same-site", "Origin: null"}},
	{"/mine/plans", []string{"Host: secret.example"}},
}

// identities are event ids that nobody was given.
var identities = []string{
	"", "0", "-", "--", "-1", "1", "a-1-1", "0-0-0", "1-1-1", "zzzzzzzz-1-1", "-1-1", "a-b-c", "1-18446744073709551615-1", "1-18446744073709551616-1", "1-99999999999999999999-1", "1-1-zzzzzzzzzzzzzzzzzzzz", "1--1", "1-1-", "1-1-1-1", "1-+1-1", "1-0x1-1", "1-1e9-1", "1- 1-1",
	"secret.plans", "$SYS.>", "1-1-1.1-1-1", "1-1-1.", ".1-1-1", "1-1-1..1-1-1", strings.Repeat("1-1-1.", 8) + "1-1-1", strings.Repeat("a", 64), strings.Repeat("1", 5000), "../../secret", "id\tx", "ä-1-1", "\xff-1-1", "%00", "1-1-1%0adata:x", "<script>", "';--", "null", "NaN",
}

// headerLines are headers by which other servers have been talked into something.
var headerLines = []string{
	"X-Original-URL: /events/secret.plans", "X-Rewrite-URL: /events/secret.plans", "X-Forwarded-Prefix: /events/secret.plans", "X-Forwarded-Host: secret.example", "X-Forwarded-Proto: javascript", "X-Forwarded-For: 127.0.0.1", "X-Real-IP: 127.0.0.1", "Forwarded: for=127.0.0.1;host=secret.example",
	"X-HTTP-Method-Override: DELETE", "X-HTTP-Method: PUT", "X-Method-Override: PURGE", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13", "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\nConnection: Upgrade, HTTP2-Settings",
	"Expect: 100-continue", "Expect: 200-ok", "TE: trailers", "Trailer: Nats-Msg-Id", "Range: bytes=0-", "If-None-Match: *", "If-Match: \"x\"", "Content-Encoding: gzip", "Accept-Encoding: gzip, br, zstd", "Accept: application/x-ndjson", "Accept: " + strings.Repeat("a/b,", 500), "Accept: ;;;,,,",
	"Authorization: Bearer secret", "Authorization: Basic c3lzOnN5cw==", "Cookie: session=secret; subject=secret.plans", "Cookie: " + strings.Repeat("a=b; ", 500), "Host: secret.example", "Host: localhost, secret.example", "Host: localhost:99999", "Host: ", "Host: [::1]:secret", "Host: localhost@secret.example", "Host: localhost/secret",
	"Origin: null", "Origin: http://secret.example", "Origin: http://localhost.secret.example", "Origin: http://127.0.0.1@secret.example", "Origin: file://", "Origin: http://localhost\\.secret.example", "Sec-Fetch-Site: cross-site", "Referer: http://secret.example/",
	"Tailwater-Event: open", "Tailwater-Event: tailwater:close", "Tailwater-Event: message", "Tailwater-Event: a b", "Tailwater-Event: secret.plans", "Idempotency-Key: " + victimsKey, "Idempotency-Key: a b", "Idempotency-Key: " + strings.Repeat("k", 300), "Traceparent: x y",
	"Nats-Msg-Id: planted", "Nats-Expected-Stream: SECRET", "Nats-Rollup: all", "Nats-Schedule: @every 1s", "Nats-Schedule-Target: secret.plans", "Nats-TTL: 1s", "Nats-Sequence: 1", "Nats-Subject: secret.plans", "Nats-Stream: SECRET", "Status: 503", "Status: 100 FlowControl Request", "Description: planted", "KV-Operation: PURGE", "Nats-Batch-Id: 1",
	"Content-Length: 5", "Content-Length: -1", "Content-Length: 99999999999999999999", "Content-Length: 0x5", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked, identity", "Transfer-Encoding : chunked", "Transfer-Encoding: xchunked", "Content-Type: application/x-www-form-urlencoded", "Content-Type: multipart/form-data; boundary=x",
	" folded: secret", "no colon at all", ": no name", "X-\x00: nul", "X-NUL: a\x00b", "X-CR: a\rb", "X-Long: " + strings.Repeat("x", 20_000),
}

// intrusions returns all intrusions. A GET asks for what is stored as well.
func intrusions() []intrusion {
	var all []intrusion
	add := func(target string, headers ...string) { all = append(all, intrusion{target, headers}) }
	for _, subject := range forbidden {
		query := url.QueryEscape(subject)
		var every strings.Builder
		for _, b := range []byte(subject) {
			fmt.Fprintf(&every, "%%%02x", b)
		}
		add("/events/" + subject + "?since=all")
		add("/events/" + every.String() + "?since=all")
		add("/events/" + strings.ReplaceAll(url.PathEscape(subject), ".", "/") + "?since=all")
		add("/events?since=all&subject=" + query)
		add("/events?since=all&subject=chat.room1&subject=" + query)
		add("/room/" + url.PathEscape(subject) + "?since=all")
		add("/deep/" + every.String() + "?since=all")
		add("/config/" + url.PathEscape(subject) + "?since=all")
	}
	for _, path := range paths {
		add(path)
	}
	for _, id := range identities {
		add("/events/chat.room1", "Last-Event-ID: "+id)
		add("/events/secret.plans", "Last-Event-ID: "+id)
		add("/events/chat.room1?lastEventId=" + url.QueryEscape(id))
		add("/events/chat.room1?since=" + url.QueryEscape(id))
	}
	for _, line := range headerLines {
		add("/events/chat.room1", line)
		add("/events/secret.plans?since=all", line)
	}
	return all
}
