package outlet_test

import (
	"testing"
	"time"
)

// Data from a client of an event stream is ignored, and does not pile up in the kernel.
func TestClientsThatTalkCostLittle(t *testing.T) {
	const most = 64 << 10
	p := protocols[3]
	b := newFixture(t, p.on(patient), plenty)
	server := b.serve(t, p)
	talker := dial(t, server)
	if err := talker.conn.SetWriteBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	sent, text := 0, make([]byte, 4<<10)
	for sent <= 4*most {
		_ = talker.conn.SetWriteDeadline(time.Now().Add(200 * time.Millisecond))
		n, err := talker.conn.Write(text)
		sent += n
		if err != nil {
			break
		}
	}
	if sent > most {
		t.Errorf("%d bytes were taken", sent)
	}
	b.publish([]byte("hello"))
	if event, err := talker.Next(); err != nil || event.Data != "hello" {
		t.Errorf("%+v, %v", event, err)
	}
	reset(t, talker.conn) // what it has not sent would be before an end
}
