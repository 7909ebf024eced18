package e2e

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-envparse"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/tailwater/tailwater/bridge/bridgetest"
	"github.com/tailwater/tailwater/configs"
)

// arrangement is a folder of configs/examples. The tests use its files as they stand there, but for addresses and paths.
type arrangement struct {
	*testing.T
	replaced []string // what is replaced in all files, and by what, in turn
}

func (e *arrangement) read(file string) string {
	e.Helper()
	content, err := os.ReadFile(filepath.Join("..", "..", "..", "configs", "examples", file))
	if err != nil {
		e.Fatal(err)
	}
	return strings.NewReplacer(e.replaced...).Replace(string(content))
}

// replaces makes all files that are read from now on say something else.
func (e *arrangement) replaces(former, now string) { e.replaced = append(e.replaced, former, now) }

// copyOf returns the path of a copy of a file.
func (e *arrangement) copyOf(file string) string {
	e.Helper()
	return writeFile(e.T, e.TempDir(), filepath.Base(file), e.read(file))
}

// server starts a nats-server with a file, at the address by which the other files know it.
func (e *arrangement) server(file, address string) *bridgetest.NATSServer {
	e.Helper()
	server := bridgetest.StartNATSServer(e.T, "-c", e.copyOf(file))
	e.replaces(address, fmt.Sprintf("127.0.0.1:%d", server.Port))
	return server
}

// hub starts the hub of several examples.
func (e *arrangement) hub() *bridgetest.NATSServer {
	port := bridgetest.FreePort(e.T)
	e.replaces("0.0.0.0:7422", fmt.Sprintf("127.0.0.1:%d", port))
	e.replaces("hub.example.com:7422", fmt.Sprintf("127.0.0.1:%d", port))
	return e.server("leaf/hub.conf", "hub.example.com:4222")
}

// settings returns those of a file.
func (e *arrangement) settings(file string) settings {
	e.Helper()
	found, err := envparse.Parse(strings.NewReader(e.read(file)))
	if err != nil {
		e.Fatal(err)
	}
	all := settings{}
	for name, value := range found {
		all[strings.TrimPrefix(name, configs.Prefix+"_")] = value
	}
	return all
}

// carries publishes by a program, and reads at a bridge, live and stored; then it comes back with the id of the first message, at another
// bridge if there is one.
func (e *arrangement) carries(program *nats.Conn, bridges ...*testNode) {
	e.Helper()
	last := bridges[len(bridges)-1]
	for _, n := range bridges {
		eventually(e.T, "what is published is stored", func() bool {
			if err := program.Publish("chat.first", []byte("hello")); err != nil {
				e.Fatal(err)
			}
			_, body := get(e.T, n.URL()+"/events/chat.first?poll=1")
			return strings.Contains(body, "hello")
		})
	}
	reader, _ := subscribe(e.T, bridges[0].URL()+"/events/chat.room1", "")
	ids := []string{}
	for _, data := range []string{"one", "two"} {
		if err := program.Publish("chat.room1", []byte(data)); err != nil {
			e.Fatal(err)
		}
		ids = append(ids, reader.expect("message", data).ID)
	}
	eventually(e.T, "the other bridge has it", func() bool {
		_, body := get(e.T, last.URL()+"/events/chat.room1?poll=1")
		return strings.Contains(body, "two")
	})
	back, opening := subscribe(e.T, last.URL()+"/events/chat.room1", ids[0])
	if opening.Type != "tailwater:open" {
		e.Errorf("a resume begins with %+v", opening)
	}
	back.expect("message", "two")
}

// hears wants a program to hear what a browser posts.
func (e *arrangement) hears(program *nats.Conn, n *testNode, subject string) {
	e.Helper()
	sub, err := program.SubscribeSync(subject)
	if err != nil {
		e.Fatal(err)
	}
	eventually(e.T, "the program hears what is posted", func() bool {
		if status, body := post(e.T, n.URL()+"/events/"+subject, "posted"); status != http.StatusCreated && status != http.StatusAccepted {
			e.Fatalf("POST: %d %s", status, body)
		}
		waiting, _, _ := sub.Pending()
		return waiting > 0
	})
}

// createStream creates a stream of a file.
func (e *arrangement) createStream(file string, at *bridgetest.NATSServer) {
	e.Helper()
	var config jetstream.StreamConfig
	if err := json.Unmarshal([]byte(e.read(file)), &config); err != nil {
		e.Fatal(err)
	}
	if _, err := connectJetStream(e.T, at.URL()).CreateStream(e.Context(), config); err != nil {
		e.Fatal(err)
	}
}

// program returns the connection of a program that signs in.
func (e *arrangement) program(port int) *nats.Conn {
	return publisher(e.T, fmt.Sprintf("nats://program:s3cret@127.0.0.1:%d", port))
}

// TestExamplesOfNATS starts every folder of configs/examples.
func TestExamplesOfNATS(t *testing.T) {
	onlySoak(t)
	t.Parallel()
	tests := map[string]func(e *arrangement){
		"context": func(e *arrangement) {
			server := e.server("context/nats-server.conf", "nats.example.com:4222")
			e.replaces("/etc/tailwater/production.json", e.copyOf("context/production.json"))
			e.carries(e.program(server.Port), startNode(e.T, e.settings("context/tailwater.env")))
		},
		"leaf": func(e *arrangement) {
			hub := e.hub()
			e.server("leaf/leaf.conf", "leaf.example.com:4222")
			n := startNode(e.T, e.settings("leaf/tailwater.env"))
			program := publisher(e.T, hub.URL())
			e.carries(program, n, startNode(e.T, with(e.settings("leaf/tailwater.env"), settings{"NATS_URL": hub.URL(), "NATS_JS_DOMAIN": "hub"})))
			e.hears(program, n, "chat.room2")
		},
		"copy": func(e *arrangement) {
			hub := e.hub()
			edge := e.server("copy/edge.conf", "edge.example.com:4222")
			e.createStream("copy/hub-stream.json", hub)
			e.createStream("copy/edge-stream.json", edge)
			e.carries(publisher(e.T, hub.URL()), startNode(e.T, e.settings("copy/tailwater.env")))
			infoOf := func(at *bridgetest.NATSServer) *jetstream.StreamInfo {
				stream, err := connectJetStream(e.T, at.URL()).Stream(e.Context(), "CHAT")
				if err != nil {
					e.Fatal(err)
				}
				return stream.CachedInfo()
			}
			eventually(e.T, "the source has copied all", func() bool {
				sources := infoOf(edge).Sources
				return len(sources) == 1 && sources[0].Active >= 0 && sources[0].Lag == 0
			})
			if at, there := infoOf(edge).State.LastSeq, infoOf(hub).State.LastSeq; at != there {
				e.Errorf("the copy of %d messages has %d", there, at)
			}
		},
		"accounts": func(e *arrangement) {
			server := e.server("accounts/nats-server.conf", "nats.example.com:4222")
			program, n := e.program(server.Port), startNode(e.T, e.settings("accounts/tailwater.env"))
			e.carries(program, n)
			e.hears(program, n, "said.hello")
			if status, _ := post(e.T, n.URL()+"/events/chat.room1", "posted"); status != http.StatusForbidden {
				e.Errorf("POST on what programs publish: %d", status)
			}
		},
		"cluster": func(e *arrangement) {
			nodes := e.cluster()
			program := e.program(portOf(e.T, nodes[2]))
			e.carries(program, nodes[0], nodes[1])
			e.hears(program, nodes[0], "chat.room2")
			stream, err := jetstreamOf(e.T, program).Stream(e.Context(), "TAILWATER")
			if err != nil || stream.CachedInfo().Cluster == nil || len(stream.CachedInfo().Cluster.Replicas) != 2 {
				e.Errorf("the stream is not held by three servers: %v", err)
			}
		},
		"embedded-leaf": func(e *arrangement) {
			hub := e.hub()
			e.replaces("/etc/tailwater/nats-server.conf", e.copyOf("embedded-leaf/nats-server.conf"))
			program, n := publisher(e.T, hub.URL()), startNode(e.T, e.settings("embedded-leaf/tailwater.env"))
			e.carries(program, n)
			e.hears(program, n, "chat.room2")
		},
		"partitions": func(e *arrangement) { e.dividesRooms() },
	}
	folders, err := os.ReadDir(filepath.Join("..", "..", "..", "configs", "examples"))
	noError(t, err)
	for _, folder := range folders {
		if folder.IsDir() && tests[folder.Name()] == nil {
			t.Errorf("nothing starts the example %s", folder.Name())
		}
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(&arrangement{T: t})
		})
	}
}

// dividesRooms wants each of two bridges to receive one partition, and no message of the other. The page's function and NATS agree on the partition of a room.
func (e *arrangement) dividesRooms() {
	e.Helper()
	server := e.server("partitions/nats-server.conf", "nats.example.com:4222")
	e.createStream("partitions/stream-0.json", server)
	e.createStream("partitions/stream-1.json", server)
	bridges := []*testNode{startNode(e.T, e.settings("partitions/tailwater.env")), startNode(e.T, e.settings("partitions/tailwater.env"))}
	program := publisher(e.T, server.URL())
	counts := [2]int{}
	for i := range 10 {
		room := fmt.Sprint("room", i)
		hash := fnv.New32a()
		hash.Write([]byte(room))
		partition := hash.Sum32() % 2
		counts[partition]++
		reader, _ := subscribe(e.T, fmt.Sprintf("%s/events/chat.%d.%s", bridges[partition].URL(), partition, room), "")
		if err := program.Publish("chat."+room, []byte(room)); err != nil {
			e.Fatal(err)
		}
		reader.expect("message", room)
	}
	for partition, want := range counts {
		stream, err := connectJetStream(e.T, server.URL()).Stream(e.Context(), fmt.Sprint("CHAT_", partition))
		if err != nil {
			e.Fatal(err)
		}
		if state := stream.CachedInfo().State; want == 0 || state.Msgs != uint64(want) || state.Consumers != 1 {
			e.Errorf("partition %d: %d messages and %d consumers, want %d messages, and one consumer", partition, state.Msgs, state.Consumers, want)
		}
	}
}

// cluster starts three bridges, all at once, because the first of them waits for a second.
func (e *arrangement) cluster() []*testNode {
	e.Helper()
	var routes []string
	for i := range 3 {
		routes = append(routes, fmt.Sprintf("127.0.0.1:%d", bridgetest.FreePort(e.T)))
		e.replaces(fmt.Sprintf("bridge-%d.example.com:6222", i+1), routes[i])
	}
	nodes, failures := make([]*testNode, 3), make(chan error, 3)
	for i, route := range routes {
		of := &arrangement{T: e.T, replaced: append([]string{"$NODE", fmt.Sprint("bridge-", i+1), "0.0.0.0:6222", route}, e.replaced...)}
		of.replaces("/etc/tailwater/nats-server.conf", of.copyOf("cluster/nats-server.conf"))
		s := with(of.settings("cluster/tailwater.env"), settings{"HTTP_HOSTS": "127.0.0.1"})
		go func() {
			opened, err := openNode(e.T, s)
			if err == nil {
				nodes[i] = &testNode{Node: opened}
			}
			failures <- err
		}()
	}
	for range nodes {
		if err := <-failures; err != nil {
			e.Error(err)
		}
	}
	e.Cleanup(func() {
		for _, n := range nodes {
			if n != nil {
				n.stop(e.T)
			}
		}
	})
	if e.Failed() {
		e.FailNow()
	}
	return nodes
}

// portOf returns the port of a node's embedded server.
func portOf(t *testing.T, n *testNode) int {
	t.Helper()
	port := 0
	if _, err := fmt.Sscanf(n.NATSURL(), "nats://127.0.0.1:%d", &port); err != nil {
		t.Fatal(err)
	}
	return port
}
