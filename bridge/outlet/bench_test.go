package outlet_test

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tailwater/tailwater/bridge/outlet"
)

// BenchmarkServe publishes 128 bytes an iteration to a feed that 100 clients read over loopback sockets, in bursts as
// they come from NATS.
func BenchmarkServe(b *testing.B) {
	for _, p := range []protocol{protocols[0], protocols[3]} {
		b.Run(p.name, func(b *testing.B) { benchmarkServe(b, p.on(patient), p) })
	}
}

// BenchmarkMeasuredServe is BenchmarkServe with the histogram of delays that the command has, to be compared with it.
func BenchmarkMeasuredServe(b *testing.B) {
	for _, p := range []protocol{protocols[0], protocols[3]} {
		config := p.on(patient)
		config.Delays = prometheus.NewHistogram(prometheus.HistogramOpts{
			Buckets: prometheus.DefBuckets, NativeHistogramBucketFactor: 1.1, NativeHistogramMaxBucketNumber: 160, NativeHistogramMinResetDuration: time.Hour,
		})
		b.Run(p.name, func(b *testing.B) { benchmarkServe(b, config, p) })
	}
}

func benchmarkServe(b *testing.B, config outlet.Config, p protocol) {
	const readers, burst = 100, 100
	fixture := newFixture(b, config, plenty)
	fixture.At.Time = time.Now().UnixNano()
	server := fixture.serve(b, p)
	var delivered atomic.Int64
	wake := make(chan struct{}, 1)
	var reading sync.WaitGroup
	var clients []net.Conn
	for range readers {
		c := send(b, server, net.Dialer{})
		clients = append(clients, c)
		reading.Go(func() {
			buffer := make([]byte, 64<<10)
			for {
				n, err := c.Read(buffer)
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
	for delivered.Load() < readers { // the opening
		<-wake
	}
	delivered.Store(0)
	payload := bytes.Repeat([]byte("x"), 128)
	published := int64(0)
	b.ReportAllocs()
	for b.Loop() {
		fixture.publish(payload)
		if published++; published%burst == 0 {
			for delivered.Load() < published*readers*99/100 { // an "id: " that is split between two reads is not seen
				<-wake
			}
		}
	}
	b.ReportMetric(float64(published*readers)/b.Elapsed().Seconds(), "deliveries/s")
	for _, c := range clients {
		c.Close()
	}
	reading.Wait()
}

// BenchmarkLargeFrames writes messages of a MiB to one client on the same machine, as to a proxy.
func BenchmarkLargeFrames(b *testing.B) {
	for _, p := range []protocol{protocols[0], protocols[3]} {
		b.Run(p.name, func(b *testing.B) {
			fixture := newFixture(b, p.on(patient), plenty)
			server := fixture.serve(b, p)
			stream, _, err := begin(send(b, server, net.Dialer{}))
			if err != nil {
				b.Fatal(err)
			}
			payload := bytes.Repeat([]byte("x"), 1<<20)
			b.SetBytes(int64(len(payload)))
			for b.Loop() {
				fixture.publish(payload)
				if _, err := stream.Next(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
