package sockets_test

import (
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"github.com/tailwater/tailwater/bridge/sockets"
)

// An address has so many requests over HTTP/2 served at once, on however many connections and whatever they are, because each holds memory
// until its client takes the answer. Further ones are reset. Another address does not notice, and when some have ended there is room again.
func TestFewRequestsAreServedAtOnce(t *testing.T) {
	testServedAtOnce(t, sockets.Limits{All: 1000, Each: 16}, 4*16)
}

// Of all clients, few need more than their places.
func TestFewRequestsOfAllAreServedAtOnce(t *testing.T) {
	testServedAtOnce(t, sockets.Limits{All: 64}, 64+4*16)
}

func testServedAtOnce(t *testing.T, limits sockets.Limits, most int64) {
	const streams = 50
	securely(t, limits, func(t *testing.T, s *secured) {
		var clients []*http.Client
		for range 4 {
			client := s.client("192.0.2.1", "h2")
			defer client.CloseIdleConnections()
			s.ask(client, "") // the others share its connection
			clients = append(clients, client)
		}
		for range 2 {
			var leave []func()
			for _, client := range clients {
				leave = append(leave, s.open(client, streams))
			}
			if served := s.served.Load(); served != most {
				t.Errorf("%d requests are served at once instead of %d", served, most)
			}
			if limits.Each > 0 {
				other := s.client("192.0.2.2", "h2")
				s.ask(other, "somebody else")
				other.CloseIdleConnections()
			}
			for _, each := range leave {
				each()
			}
			time.Sleep(time.Minute) // of the bubble: what was reset has been paid for
			synctest.Wait()
		}
	})
}

// A request whose answer waits for its client's window is still being served, although its handler has ended.
func TestAnswersThatAreNotTakenCount(t *testing.T) {
	const each, more = 4, 5
	places := sockets.NewPlaces(sockets.Limits{All: 100, Each: each})
	conn := dialHTTP2(t, places, places.Handler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "an answer")
	})))
	framer := http2.NewFramer(conn, conn)
	_, err := conn.Write([]byte(http2.ClientPreface))
	err = errors.Join(err, conn.SetDeadline(time.Now().Add(20*time.Second)), framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize}))
	for i := range uint32(4*each + more) {
		err = errors.Join(err, framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: smallHead(), EndHeaders: true, EndStream: true}))
	}
	for resets := 0; resets < more; {
		frame, readErr := framer.ReadFrame()
		if err := errors.Join(err, readErr); err != nil {
			t.Fatalf("after %d resets: %v", resets, err)
		}
		if frame.Header().Type == http2.FrameRSTStream {
			resets++
		}
	}
}
