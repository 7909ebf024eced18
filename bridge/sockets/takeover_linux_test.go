package sockets_test

import (
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/tailwater/tailwater/bridge/sockets"
)

// A socket that was taken over keeps its place until it is closed, and its client is not waited for, also when its request has ended, or a
// body was announced.
func TestTakenSocketKeepsItsPlace(t *testing.T) {
	for _, body := range []string{"", "Content-Length: 5\r\n"} {
		t.Run(body, func(t *testing.T) { testTakenSocket(t, body) })
	}
}

func testTakenSocket(t *testing.T, body string) {
	t.Parallel()
	places := sockets.NewPlaces(sockets.Limits{All: 10})
	taken, ended := make(chan sockets.Taken, 1), make(chan struct{})
	handler := places.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		socket, ok, err := sockets.TakeOver(w, r)
		if !ok || err != nil {
			t.Errorf("it was not taken: %v", err)
		}
		taken <- socket
	}))
	server := serve(t, places, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r)
		close(ended)
	}), false)
	client, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := io.WriteString(client, "GET / HTTP/1.1\r\nHost: localhost\r\n"+body+"\r\n"); err != nil {
		t.Fatal(err)
	}
	socket := <-taken
	<-ended
	if stats := places.Stats(); stats.Held != 1 || stats.Waiting != 0 {
		t.Errorf("while it is open: %+v", stats)
	}
	socket.Close()
	if stats := places.Stats(); stats.Held != 0 || places.Networks() != 0 {
		t.Errorf("behind it: %+v", stats)
	}
}
