package e2e

import (
	"bufio"
	"encoding/json"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

// debugList is what /debug/connections answers.
type debugList struct {
	Open, Behind    int
	Complete        bool
	Slowest, Oldest []debugConnection
}

type debugConnection struct {
	Subjects                []string
	Caller, Address, Writer string
	Age                     float64 `json:"age_seconds"`
	Late                    float64 `json:"behind_seconds"`
	Messages                int     `json:"behind_messages"`
	Older                   int     `json:"older_messages"`
	Unsent                  int     `json:"unsent_bytes"`
}

// listConnections asks for JSON.
func (n *testNode) listConnections(t *testing.T, query string) (list debugList) {
	t.Helper()
	_, text := status(t, http.MethodGet, n.AdminURL()+"/debug/connections"+query, "", "Accept: application/json")
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return list
}

// readNothing opens a connection of a caller, reads the head of the answer, and then nothing more.
func readNothing(t *testing.T, n *testNode, subject, token string) {
	t.Helper()
	conn := dialRaw(t, n, 1, "GET /events/"+subject+" HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "+token+"\r\n\r\n")
	if _, err := http.ReadResponse(bufio.NewReaderSize(conn, 16), nil); err != nil {
		t.Fatal(err)
	}
}

// mallory would write lines of her own into a list, and clear the terminal, if she were shown as she calls herself.
const mallory, malloryShown = "mallory\n0s 0 \x1b[2J", `"mallory\n0s 0 \x1b[2J"`

// A client that takes nothing is the slowest, with its subject, caller and address, whoever writes its connection; one that reads is not behind.
func TestSlowClientsAreNamed(t *testing.T) {
	t.Parallel()
	for writer, loops := range map[string]string{"loop": "1", "plain": "0"} {
		t.Run(writer, func(t *testing.T) {
			t.Parallel()
			n := startNode(t, settings{"HTTP_LOOPS": loops, "PRESENCE": "", "AUTH_JWT_SECRET": tokenSecret, "ANONYMOUS_PUBLISH": "chat.>", "LIMIT_PUBLISH_RATE": "0"})
			eventually(t, "tokens can be checked", func() bool {
				status, _ := get(t, n.AdminURL()+"/readyz")
				return status == http.StatusOK
			})
			witness, _ := subscribe(t, n.URL()+"/events/chat.witness", "")
			readNothing(t, n, "chat.stalled", sign(t, tokenSecret, claimsOf(mallory, "")))
			large := strings.Repeat("x", 200_000)
			for range 40 { // more than the kernel holds for a client
				post(t, n.URL()+"/events/chat.stalled", large)
			}
			post(t, n.URL()+"/events/chat.witness", "hello")
			witness.expect("message", "hello")

			var list debugList
			eventually(t, "the client that reads nothing is the slowest", func() bool {
				list = n.listConnections(t, "")
				return list.Behind == 1 && len(list.Slowest) == 1 && list.Slowest[0].Late > 0
			})
			slowest := list.Slowest[0]
			if slowest.Writer != writer || slowest.Caller != mallory || slowest.Address != "127.0.0.1" || strings.Join(slowest.Subjects, " ") != "chat.stalled" {
				t.Errorf("it is described as %+v", slowest)
			}
			if open := n.figure(t, `tailwater_connections{writer="`+writer+`"}`); open != 2 {
				t.Errorf("%d connections are written by %s", open, writer)
			}
			if behind := time.Now().Unix() - n.figure(t, "tailwater_auth_revocations_timestamp_seconds"); behind < 0 || behind > 60 {
				t.Errorf("revocations are known up to %d seconds ago", behind)
			}
			if slowest.Late <= 0 || slowest.Messages+slowest.Older == 0 || slowest.Unsent < 4<<10 {
				t.Errorf("its lag is %+v", slowest)
			}
			if !list.Complete || list.Open != 2 {
				t.Errorf("of two connections it says %+v", list)
			}
			if len(list.Oldest) != 2 || strings.Join(list.Oldest[0].Subjects, " ") != "chat.witness" || list.Oldest[0].Age < list.Oldest[1].Age {
				t.Errorf("the oldest are %+v", list.Oldest)
			}
			if limited := n.listConnections(t, "?limit=1"); len(limited.Oldest) != 1 {
				t.Errorf("limit=1 lists %+v", limited.Oldest)
			}
			if behind, lacks := n.figure(t, "tailwater_connections_behind"), n.figure(t, "tailwater_reader_lag_messages"); behind != 1 || lacks == 0 && slowest.Older == 0 {
				t.Errorf("the metrics say %d connections behind, by %d messages", behind, lacks)
			}
			_, text := get(t, n.AdminURL()+"/debug/connections")
			if !regexp.MustCompile(`(?s)2 connections, 1 of them behind.*slowest\n.*` + slowest.Address + ` +` + regexp.QuoteMeta(malloryShown) + ` +chat\.stalled\n.*oldest\n`).MatchString(text) {
				t.Errorf("as text:\n%s", text)
			}
		})
	}
}

// The index of /debug/ links what there is, for people and for programs, and lists are never longer than asked.
func TestDebugIndexLinksWhatThereIs(t *testing.T) {
	t.Parallel()
	n := startNode(t, nil)
	_, page := status(t, http.MethodGet, n.AdminURL()+"/debug/", "", "Accept: text/html,*/*;q=0.8")
	_, text := get(t, n.AdminURL()+"/debug/")
	links := regexp.MustCompile(`href="([^"]+)"`).FindAllStringSubmatch(page, -1)
	for _, link := range links {
		path, _, isSlow := strings.Cut(link[1], "?")
		if !strings.Contains(text, path) {
			t.Errorf("the text lacks %s", path)
		}
		if isSlow {
			continue // a profile takes as long as its query says
		}
		if status, _ := get(t, n.AdminURL()+path); status != http.StatusOK {
			t.Errorf("%s: %d", path, status)
		}
	}
	if len(links) < 5 {
		t.Errorf("only %d links: %s", len(links), page)
	}
	for _, limit := range []string{"0", "-1", "201", "x"} {
		if status, _ := get(t, n.AdminURL()+"/debug/connections?limit="+limit); status != http.StatusBadRequest {
			t.Errorf("limit=%s: %d", limit, status)
		}
	}
}

// Where other machines reach the listener of operators, it has metrics, but neither lists of connections nor profiles.
func TestOtherMachinesGetNoDebug(t *testing.T) {
	t.Parallel()
	n := startNode(t, openToAll(settings{"ADMIN_LISTEN": "0.0.0.0:0"}))
	_, port, err := net.SplitHostPort(n.Admin().String())
	noError(t, err)
	for path, want := range map[string]int{
		"/metrics": http.StatusOK, "/debug/": http.StatusNotFound, "/debug/connections": http.StatusNotFound, "/debug/pprof/heap": http.StatusNotFound,
	} {
		if got, _ := get(t, "http://127.0.0.1:"+port+path); got != want {
			t.Errorf("%s: %d", path, got)
		}
	}
}
