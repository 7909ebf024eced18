package bridgetest

import (
	"io"
	"testing"
	"time"
)

// StartLink starts a proxy to an address, such as 127.0.0.1:4222, that adds a round trip time. It returns its own address. The end of the
// test stops it.
func StartLink(t testing.TB, to string, roundTrip time.Duration) (address string) {
	t.Helper()
	proxy := startProxy(t, to, func(to io.Writer, from io.Reader, _ bool) {
		under := make(chan parcel, 4096)
		go take(from, under, roundTrip/2) // ends before give
		give(to, under)
	})
	return proxy.Addr().String()
}

// parcel is the data of one read, and when it is delivered.
type parcel struct {
	data []byte
	due  time.Time
}

func take(from io.Reader, under chan<- parcel, delay time.Duration) {
	defer close(under)
	for {
		buffer := make([]byte, 16<<10)
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		under <- parcel{buffer[:n], time.Now().Add(delay)}
	}
}

func give(to io.Writer, under <-chan parcel) {
	for p := range under {
		<-time.After(time.Until(p.due))
		if _, err := to.Write(p.data); err != nil {
			break
		}
	}
	for range under { // discard the rest
	}
}
