package js_test

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// served appends to a block of headers what a server does, as it does, when it answers a direct get.
func served(block string) []byte {
	served := []byte(block)
	for _, header := range [][2]string{
		{"Nats-Stream", "S"}, {"Nats-Subject", "x"}, {"Nats-Sequence", "7"}, {"Nats-Time-Stamp", "2026-01-01T00:00:00Z"},
	} {
		var b bytes.Buffer
		if len(served) > 2 {
			b.Write(served[:len(served)-2])
		} else {
			b.WriteString("NATS/1.0\r\n")
		}
		_ = http.Header{header[0]: {header[1]}}.Write(&b)
		b.WriteString("\r\n")
		served = b.Bytes()
	}
	return served
}

// Whatever block of headers a publisher makes, it is not taken for the server's word, and its message for no other.
func FuzzServedHeaders(f *testing.F) {
	for _, odd := range bridgetest.OddHeaders {
		f.Add(odd.Block)
	}
	f.Add("NATS/1.0\r\nA: b\r\n\r\n")
	f.Fuzz(func(t *testing.T, block string) {
		if block == "" {
			return // none: the server writes a block of its own
		}
		all := served(block)
		header, err := nats.DecodeHeadersMsg(all)
		if err != nil {
			header = nil
		}
		isMessage, subject, seq, isWord := js.Given(header, len(all), "S")
		if isWord || isMessage && (subject != "x" || seq != 7) {
			t.Errorf("%q is taken for the message %d on %q, or for a word: %t", block, seq, subject, isWord)
		}
	})
}

// What a server says of its own is understood, and so is a message with the headers of any client.
func TestServedHeaders(t *testing.T) {
	for block, want := range map[string]bool{
		"NATS/1.0\r\nA: b\r\n\r\n":                            true,
		"NATS/1.0\r\nA:b\r\nB:c\r\n\r\n":                      true,
		"NATS/1.0\r\nStatus: 204\r\nDescription: EOB\r\n\r\n": true,
		"NATS/1.0 204 EOB\r\n\r\n":                            true,
		"NATS/1.0\r\n\r\n":                                    true,
	} {
		all := served(block)
		header, err := nats.DecodeHeadersMsg(all)
		isMessage, subject, seq, _ := js.Given(header, len(all), "S")
		if err != nil || isMessage != want || subject != "x" || seq != 7 {
			t.Errorf("%q is a message: %t, %d on %q, %v", block, isMessage, seq, subject, err)
		}
	}
	for _, word := range []string{
		"NATS/1.0 204 EOB\r\nNats-Num-Pending: 18446744073709551615\r\nNats-Last-Sequence: 9\r\nNats-UpTo-Sequence: 18446744073709551615\r\n\r\n",
		"NATS/1.0 404 Message Not Found\r\n\r\n", "NATS/1.0 413 Too Many Results\r\n\r\n", "NATS/1.0 503\r\n\r\n",
	} {
		header, err := nats.DecodeHeadersMsg([]byte(word))
		if _, _, _, isWord := js.Given(header, len(word), "S"); err != nil || !isWord {
			t.Errorf("%q is no word, %v", word, err)
		}
	}
}
