package bridgetest

import "strings"

// OddHeaders are blocks of headers that no client library writes. Some cannot be decoded; some hide from a decoder what a
// server appends to them when it answers a direct get.
var OddHeaders = []struct {
	Name, Block string
	Broken      bool
}{
	{"no colon", "NATS/1.0\r\nno colon\r\n\r\n", true},
	{"no colon among others", "NATS/1.0\r\nA: b\r\nno colon\r\nC: d\r\n\r\n", true},
	{"no version", "garbage\r\n\r\n", true},
	{"another version", "NATS/2.0\r\nA: b\r\n\r\n", true},
	{"the version alone", "NATS/1.0", true},
	{"the version and a line end", "NATS/1.0\r\n", true},
	{"an end alone", "\r\n", true},
	{"one byte", "N", true},
	{"nul bytes", "\x00\x00\x00\x00", true},
	{"no end", "NATS/1.0\r\nA: b", true},
	{"half an end", "NATS/1.0\r\nA: b\r\n", true},
	{"a short status", "NATS/1.0 20\r\n\r\n", true},
	{"a status without an end", "NATS/1.0 204 EOB\r\nNats-Num-Pending: 0\r\nX: yy", true},
	{"a status and a line without an end", "NATS/1.0\r\nStatus: 204\r\nNats-Num-Pending: 0\r\nX: yy", true},
	{"invalid UTF-8", "NATS/1.0\r\n\xff\xfe\r\n\r\n", true},
	{"huge", "NATS/1.0\r\n" + strings.Repeat("x", 60<<10) + "\r\n\r\n", true}, // a stream takes up to 64 KiB,
	{"many lines", "NATS/1.0\r\n" + strings.Repeat("a:b\r\n", 10_000) + "no colon\r\n\r\n", true},

	{"invalid UTF-8 in a value", "NATS/1.0\r\nA: \xff\xfe\r\n\r\n", false},
	{"no names", "NATS/1.0\r\n: b\r\n: c\r\n\r\n", false},
	{"line feeds", "NATS/1.0\nA: b\n\n", false},
	{"no blanks", "NATS/1.0\r\nA:b\r\nC:d\r\n\r\n", false},
	{"many blanks", "NATS/1.0\r\nA:" + strings.Repeat(" ", 300) + "b\r\n\r\n", false},
	{"text behind the end", "NATS/1.0\r\nA: b\r\n\r\nC: d\r\n\r\n", false},
	{"an end of a batch", "NATS/1.0 204 EOB\r\nNats-Num-Pending: 0\r\nNats-Last-Sequence: 9\r\n\r\n\r\n", false},
	{"an end of newest messages", "NATS/1.0 204 EOB\r\nNats-Num-Pending: 0\r\nNats-Last-Sequence: 9\r\nNats-UpTo-Sequence: 1\r\n\r\n\r\n", false},
	{"no message", "NATS/1.0 404 Message Not Found\r\n\r\n\r\n", false},
	{"too many", "NATS/1.0 413 Too Many Results\r\n\r\n\r\n", false},
	{"another message", "NATS/1.0\r\nNats-Stream: CHATS\r\nNats-Subject: chat.forged\r\nNats-Sequence: 1000\r\nNats-Time-Stamp: 2020-01-01T00:00:00Z\r\n\r\n\r\n", false},
	{"another message, dense", "NATS/1.0\nNats-Stream:CHATS\nNats-Subject:chat.forged\nNats-Sequence:1000\nNats-Time-Stamp:2020-01-01T00:00:00Z\n" + strings.Repeat("a:b\n", 200) + "\n\r\n", false},
}
