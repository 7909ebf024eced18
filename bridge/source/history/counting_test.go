package history_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/tailwater/tailwater/bridge"
	"github.com/tailwater/tailwater/bridge/source/history"
	"github.com/tailwater/tailwater/bridge/source/js"
)

// counted answers for a stream whose subjects are returned in pages, like a server with more than a hundred thousand. between is
// called between two pages.
type counted struct {
	mu      sync.Mutex
	created time.Time
	counts  map[string]uint64
	between func(c *counted, asked int)
	asked   int
}

const countedPage = 10

func (c *counted) answer(msg *nats.Msg) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var request struct{ Offset int }
	_ = json.Unmarshal(msg.Data, &request)
	var subjects []string
	for subject := range c.counts {
		subjects = append(subjects, subject)
	}
	slices.Sort(subjects)
	page := map[string]uint64{}
	for _, subject := range subjects[min(request.Offset, len(subjects)):min(request.Offset+countedPage, len(subjects))] {
		page[subject] = c.counts[subject]
	}
	state := map[string]any{"messages": 1000}
	if len(page) > 0 {
		state["subjects"] = page
	}
	answer, _ := json.Marshal(map[string]any{"created": c.created, "state": state, "total": len(subjects), "offset": request.Offset, "limit": countedPage})
	_ = msg.Respond(answer)
	c.asked++
	c.between(c, c.asked)
}

// Subjects that appear and disappear while a stream's subjects are counted, page by page, neither stop the count nor hide others.
func TestSubjectsComeAndGoWhileCounted(t *testing.T) {
	nothing := func(*counted, int) {}
	name := func(i int) string { return fmt.Sprintf("chat.%04d", i) }
	for what, test := range map[string]struct {
		subjects int
		between  func(c *counted, asked int)
		full     uint64 // among the subjects that end in 5
	}{
		"one page":      {countedPage, nothing, 1},
		"no subject":    {0, nothing, 0},
		"several pages": {3*countedPage + 3, nothing, 3},
		"whole pages":   {3 * countedPage, nothing, 3},
		"one comes in front": {2*countedPage + 3, func(c *counted, asked int) {
			c.counts[fmt.Sprint("chat.", asked)] = 1
		}, 2},
		"one comes behind": {2*countedPage + 3, func(c *counted, asked int) { c.counts["chat.z"] = 1 }, 2},
		"many come": {2*countedPage + 3, func(c *counted, asked int) {
			for i := range 3 * countedPage {
				if asked == 1 {
					c.counts[fmt.Sprint("chat.-", i)] = 1
				}
			}
		}, 2},
		"the first page goes": {3*countedPage + 3, func(c *counted, asked int) {
			for i := range countedPage {
				delete(c.counts, name(i))
			}
		}, 3},
		"some of each page go": {6 * countedPage, func(c *counted, asked int) {
			for i := range 6 * countedPage {
				if asked == 1 && i%10 < 3 {
					delete(c.counts, name(i))
				}
			}
		}, 6},
		"all but the last go": {3 * countedPage, func(c *counted, asked int) {
			for i := range 3*countedPage - 5 {
				delete(c.counts, name(i))
			}
		}, 2},
		"all go": {3 * countedPage, func(c *counted, asked int) { clear(c.counts) }, 1},
	} {
		t.Run(what, func(t *testing.T) {
			dial := withoutJetStream(t)
			c := &counted{created: time.Now(), counts: map[string]uint64{}, between: test.between}
			for i := range test.subjects {
				c.counts[name(i)] = 1 + uint64(i%10)/5*4 - uint64(i%10)/6*4
			}
			conn := publisher(t, dial)
			if _, err := conn.Subscribe("$JS.API.STREAM.INFO.FAKE", c.answer); err != nil {
				t.Fatal(err)
			}
			flush(t, conn)
			full, err := history.CountFull(within(t, patience/10), dial, "FAKE", c.created, "chat.>", 5)
			if err != nil || full != test.full {
				t.Errorf("%d subjects are full, %v; want %d", full, err, test.full)
			}
		})
	}
}

// withoutJetStream starts a server on whose JetStream subjects a test can answer.
func withoutJetStream(t *testing.T) js.Dialer {
	t.Helper()
	_, dial := start(t, &server.Options{DontListen: true, NoSigs: true})
	return dial
}

func start(t *testing.T, options *server.Options) (*server.Server, js.Dialer) {
	t.Helper()
	s, err := server.NewServer(options)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	return s, func(options ...nats.Option) (*nats.Conn, error) {
		return nats.Connect("", append([]nats.Option{nats.InProcessServer(s)}, options...)...)
	}
}

// A request that is sent again on another connection, which may not send it, is refused at once.
func TestQuestionIsRefusedOnTheNextConnection(t *testing.T) {
	t.Parallel()
	allowed := func(publish ...string) *server.Options {
		bridge := &server.User{Username: "bridge", Permissions: &server.Permissions{Publish: &server.SubjectPermission{Allow: publish}}}
		return &server.Options{DontListen: true, NoSigs: true, NoAuthUser: "bridge", Users: []*server.User{bridge, {Username: "other", Password: "swordfish"}}}
	}
	s, dial := start(t, allowed(">"))
	other, err := dial(nats.UserInfo("other", "swordfish"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	asked := make(chan *nats.Msg, 100)
	if _, err := other.ChanSubscribe("$JS.API.STREAM.INFO.FAKE", asked); err != nil {
		t.Fatal(err)
	}
	flush(t, other)
	result := make(chan error, 1)
	go func() {
		_, err := history.CountFull(within(t, patience), dial, "FAKE", time.Now(), "a", 5)
		result <- err
	}()
	<-asked
	if err := s.ReloadOptions(allowed("nothing")); err != nil {
		t.Fatal(err)
	}
	connections, err := s.Connz(&server.ConnzOptions{Username: true, User: "bridge"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range connections.Conns {
		_ = s.DisconnectClientByID(c.Cid)
	}
	if err := <-result; !errors.Is(err, bridge.ErrRefused) {
		t.Errorf("got %v", err)
	}
}

// A request that nobody answers is sent again, within its time limit: its receiver may be dead.
func TestQuestionsAreAskedAgain(t *testing.T) {
	t.Parallel() // it mostly waits
	dial := withoutJetStream(t)
	conn := publisher(t, dial)
	created, asked := time.Now(), 0
	if _, err := conn.Subscribe("$JS.API.STREAM.INFO.FAKE", func(msg *nats.Msg) {
		if asked++; asked < 3 {
			return
		}
		answer, _ := json.Marshal(map[string]any{"created": created, "state": map[string]any{"subjects": map[string]int{"a": 5}}, "total": 1})
		_ = msg.Respond(answer)
	}); err != nil {
		t.Fatal(err)
	}
	flush(t, conn)
	full, err := history.CountFull(within(t, patience), dial, "FAKE", created, "a", 5)
	if err != nil || full != 1 {
		t.Errorf("got %d, %v", full, err)
	}
}

// patience is how long a test waits. Only a failing test reaches it.
const patience = 30 * time.Second

// publisher returns another connection.
func publisher(t *testing.T, dial js.Dialer) *nats.Conn {
	t.Helper()
	conn, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

func flush(t *testing.T, conn *nats.Conn) {
	t.Helper()
	if err := conn.FlushTimeout(patience); err != nil {
		t.Fatal(err)
	}
}

func within(t *testing.T, timeout time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	t.Cleanup(cancel)
	return ctx
}
