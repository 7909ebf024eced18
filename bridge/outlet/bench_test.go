package outlet_test

import (
	"bytes"
	"sync"
	"sync/atomic"
	"testing"
)

// BenchmarkServe publishes 128 bytes an iteration to a feed that 100 clients read over loopback sockets, in bursts as
// they come from NATS.
func BenchmarkServe(b *testing.B) {
	const readers, burst = 100, 100
	bed := newBed(b, patient, plenty)
	server := bed.serve(b, protocols[0])
	var delivered atomic.Int64
	wake := make(chan struct{}, 1)
	var reading sync.WaitGroup
	var clients []*rawClient
	for range readers {
		c := dial(b, server)
		clients = append(clients, c)
	}
	for _, c := range clients {
		if err := c.conn.SetReadBuffer(1 << 20); err != nil {
			b.Fatal(err)
		}
		reading.Go(func() {
			buffer := make([]byte, 64<<10)
			for {
				n, err := c.conn.Read(buffer)
				if err != nil {
					return
				}
				delivered.Add(int64(bytes.Count(buffer[:n], []byte("id: "))))
				select {
				case wake <- struct{}{}:
				default:
				}
			}
		})
	}
	payload := bytes.Repeat([]byte("x"), 128)
	published := int64(0)
	b.ReportAllocs()
	for b.Loop() {
		bed.publish(payload)
		if published++; published%burst == 0 {
			for delivered.Load() < published*readers*99/100 { // an "id: " that is split between two reads is not seen
				<-wake
			}
		}
	}
	b.ReportMetric(float64(published*readers)/b.Elapsed().Seconds(), "deliveries/s")
	for _, c := range clients {
		c.conn.Close()
	}
	reading.Wait()
}
