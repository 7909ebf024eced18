package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tailwater/tailwater/cmd/tailwater/grafana"
)

// Each query of the dashboard, asked of a Prometheus that reads a bridge under load, gives numbers, and those that load moves do move: by the
// classic histograms that a Prometheus reads by default, and by the native ones.
func TestDashboardMoves(t *testing.T) {
	onlySoak(t)
	promtool(t) // Debian's package has both
	n := startNode(t, settings{"LIMIT_PUBLISH_RATE": "0", "LIMIT_READ_RATE": "0"})
	reader, opened := subscribe(t, n.URL()+"/events/chat.room1", "")
	servers := map[string]*prometheus{
		"classic": startPrometheus(t, n), "native": startPrometheus(t, n, "--enable-feature=native-histograms"),
	}
	moves := regexp.MustCompile(`^(Messages|Bytes|From publication|POSTs|Resumes A|Requests by route|Processors|Replays A)`)
	seen := map[string]map[string]bool{} // the values of each query
	eventually(t, "every query gives numbers, and moves", func() bool {
		post(t, n.URL()+"/events/chat.room1", "hello")
		reader.expect("message", "hello")
		again, _ := subscribe(t, n.URL()+"/events/chat.room1", opened.ID)
		again.expect("message", "hello")
		again.body.Close()
		last, _ := subscribe(t, n.URL()+"/events/chat.room1?since=last", "")
		for last.next().Type != "tailwater:synced" {
		}
		last.body.Close()
		missing := 0
		for name, server := range servers {
			for _, query := range grafana.Queries() {
				if query.IsRare {
					continue
				}
				key := name + ": " + query.Panel
				if seen[key] == nil {
					seen[key] = map[string]bool{}
				}
				if enough := 1; len(seen[key]) > enough || len(seen[key]) == enough && !moves.MatchString(query.Panel) {
					continue
				}
				if value := server.ask(t, query.Text); value != "" {
					seen[key][value] = true
				}
				missing++
			}
		}
		return missing == 0
	})
	t.Logf("%d queries gave numbers", len(seen))
}

// prometheus is one that runs.
type prometheus struct{ url string }

// startPrometheus runs Debian's Prometheus, which reads a bridge twice a second.
func startPrometheus(t *testing.T, n *testNode, arguments ...string) *prometheus {
	t.Helper()
	folder := t.TempDir()
	rules, err := filepath.Abs(filepath.Join("..", "..", "..", "configs", "deploy", "grafana", "alerts.yaml"))
	noError(t, err)
	config := filepath.Join(folder, "prometheus.yml")
	text := fmt.Sprintf("global: {scrape_interval: 500ms}\nscrape_configs: [{job_name: tailwater, static_configs: [{targets: [%q]}]}]\nrule_files: [%q]\n",
		strings.TrimPrefix(n.AdminURL(), "http://"), rules)
	noError(t, os.WriteFile(config, []byte(text), 0o600))
	process := exec.Command("prometheus", append(arguments, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(folder, "data"), "--web.listen-address=127.0.0.1:0")...)
	log, err := process.StderrPipe()
	noError(t, err)
	noError(t, process.Start())
	address := make(chan string, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			if match := regexp.MustCompile(`msg="Listening on" address=(\S+)`).FindStringSubmatch(lines.Text()); match != nil {
				address <- match[1]
			}
		}
	}()
	t.Cleanup(func() {
		_ = process.Process.Signal(syscall.SIGTERM)
		<-ended
		_ = process.Wait()
	})
	select {
	case at := <-address:
		return &prometheus{"http://" + at}
	case <-ended:
		t.Fatal("Prometheus has ended")
	case <-time.After(patience):
		t.Fatal("Prometheus does not listen")
	}
	return nil
}

// ask returns the numbers that a query of the dashboard gives, "" for none.
func (p *prometheus) ask(t *testing.T, query string) string {
	t.Helper()
	query = strings.NewReplacer("$instance", ".*", "$__rate_interval", "4s").Replace(query)
	status, text := get(t, p.url+"/api/v1/query?query="+url.QueryEscape(query))
	if status == http.StatusServiceUnavailable {
		return "" // it has just begun
	}
	var answer struct {
		Status, Error string
		Data          struct{ Result []struct{ Value [2]any } }
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil || answer.Status != "success" {
		t.Fatalf("%s: %d, %v, %s", query, status, err, answer.Error)
	}
	var values []string
	for _, result := range answer.Data.Result {
		value := fmt.Sprint(result.Value[1])
		if value == "NaN" {
			return ""
		}
		values = append(values, value)
	}
	return strings.Join(values, " ")
}
