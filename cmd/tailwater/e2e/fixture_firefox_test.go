package e2e

// Firefox, driven by WebDriver BiDi, which it speaks by itself.

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"golang.org/x/net/websocket"
)

// firefox is a browser of its own, without windows.
type firefox struct {
	t    *testing.T // that uses it now
	conn *websocket.Conn
	last int // id of a command
}

// firefoxTab is a page in Firefox.
type firefoxTab struct {
	*firefox
	context string
}

// firefoxPerson has cookies, storage and tabs of their own, like somebody else's browser.
type firefoxPerson struct {
	*firefox
	userContext string
}

// firefoxSettings keep a new Firefox from asking and fetching anything of its own accord, and from showing JSON by a page of its own.
const firefoxSettings = `
user_pref("app.update.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("devtools.jsonview.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "http://127.0.0.1:1");
user_pref("toolkit.telemetry.enabled", false);
`

// startFirefox runs Firefox until the end of the test. Without one the test is skipped, except where CI must have it.
func startFirefox(t *testing.T) *firefox {
	t.Helper()
	path, err := exec.LookPath("firefox-esr")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("there is no Firefox; .ci/run installs Debian's package firefox-esr")
		}
		t.Skip("there is no firefox-esr here; install it to test the pages")
	}
	const origin = "http://localhost"
	dir := t.TempDir()
	noError(t, os.WriteFile(filepath.Join(dir, "user.js"), []byte(firefoxSettings), 0o600))
	cmd := exec.Command(path, "--headless", "--no-remote", "--profile", dir, "--remote-debugging-port=0", "--remote-allow-origins="+origin)
	cmd.Env = append(os.Environ(), "HOME="+dir)
	said, err := cmd.StderrPipe()
	noError(t, err)
	noError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_, _ = io.Copy(io.Discard, said)
		_ = cmd.Wait()
	})
	f := &firefox{t: t}
	url := awaitAddress(t, said)
	if f.conn, err = websocket.Dial(url+"/session", "", origin); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.command("browser.close", map[string]any{}, nil) // with the processes of its pages
		_ = f.conn.Close()
	})
	f.command("session.new", map[string]any{"capabilities": map[string]any{}}, nil)
	return f
}

// awaitAddress reads what Firefox says until it tells where it listens.
func awaitAddress(t *testing.T, said io.Reader) string {
	t.Helper()
	address := regexp.MustCompile(`WebDriver BiDi listening on (ws://\S+)`)
	lines := bufio.NewScanner(said)
	for lines.Scan() {
		if found := address.FindStringSubmatch(lines.Text()); found != nil {
			return found[1]
		}
	}
	t.Fatalf("Firefox has not begun to listen: %v", lines.Err())
	return ""
}

// command asks Firefox to do something, and waits until it is done.
func (f *firefox) command(method string, params map[string]any, result any) {
	f.t.Helper()
	f.last++
	noError(f.t, f.conn.SetDeadline(time.Now().Add(patience)))
	noError(f.t, websocket.JSON.Send(f.conn, map[string]any{"id": f.last, "method": method, "params": params}))
	for {
		var answer struct {
			ID             int
			Result         json.RawMessage
			Error, Message string
		}
		if err := websocket.JSON.Receive(f.conn, &answer); err != nil {
			f.t.Fatalf("%s: %v", method, err)
		}
		if answer.ID != f.last {
			continue // an event
		}
		if answer.Error != "" {
			f.t.Fatalf("%s: %s: %s", method, answer.Error, answer.Message)
		}
		if result == nil {
			return
		}
		noError(f.t, json.Unmarshal(answer.Result, result))
		return
	}
}

// open opens a page in a tab of its own.
func (f *firefox) open(url string) firefoxTab {
	f.t.Helper()
	return firefoxPerson{f, "default"}.open(url)
}

// person makes a person until the end of the test.
func (f *firefox) person() firefoxPerson {
	f.t.Helper()
	var made struct{ UserContext string }
	f.command("browser.createUserContext", map[string]any{}, &made)
	f.t.Cleanup(func() { f.command("browser.removeUserContext", map[string]any{"userContext": made.UserContext}, nil) })
	return firefoxPerson{f, made.UserContext}
}

func (p firefoxPerson) open(url string) firefoxTab {
	p.t.Helper()
	var made struct{ Context string }
	p.command("browsingContext.create", map[string]any{"type": "tab", "userContext": p.userContext}, &made)
	tab := firefoxTab{p.firefox, made.Context}
	tab.navigate(url)
	return tab
}

func (p firefoxTab) navigate(url string) {
	p.t.Helper()
	p.command("browsingContext.navigate", map[string]any{"context": p.context, "url": url, "wait": "complete"}, nil)
}

// back shows the page that the tab showed before.
func (p firefoxTab) back() {
	p.t.Helper()
	p.command("browsingContext.traverseHistory", map[string]any{"context": p.context, "delta": -1}, nil)
}

// setOffline takes the network from a tab, or returns it.
func (p firefoxTab) setOffline(isOffline bool) {
	p.t.Helper()
	var conditions any
	if isOffline {
		conditions = map[string]any{"type": "offline"}
	}
	p.command("emulation.setNetworkConditions", map[string]any{"networkConditions": conditions, "contexts": []string{p.context}}, nil)
}

// typeInto types a text into a field, and then the Enter key.
func (p firefoxTab) typeInto(selector, text string) {
	p.t.Helper()
	p.value(`document.querySelector(` + inJS(selector) + `).select()`) // and focuses it
	var keys []map[string]any
	for _, key := range text + "\ue007" { // WebDriver's name of Enter
		keys = append(keys, map[string]any{"type": "keyDown", "value": string(key)}, map[string]any{"type": "keyUp", "value": string(key)})
	}
	p.command("input.performActions", map[string]any{
		"context": p.context, "actions": []any{map[string]any{"type": "key", "id": "keyboard", "actions": keys}},
	}, nil)
}

func (p firefoxTab) close() {
	p.t.Helper()
	p.command("browsingContext.close", map[string]any{"context": p.context}, nil)
}

// value evaluates an expression, and returns it as a string.
func (p firefoxTab) value(expression string) string {
	p.t.Helper()
	var found struct {
		Result           struct{ Value string }
		ExceptionDetails struct{ Text string }
	}
	p.command("script.evaluate", map[string]any{
		"expression": "(async () => String(await (" + expression + ")))()", "target": map[string]any{"context": p.context}, "awaitPromise": true,
	}, &found)
	if found.ExceptionDetails.Text != "" {
		p.t.Fatalf("%s: %s", expression, found.ExceptionDetails.Text)
	}
	return found.Result.Value
}

// waitFor waits until a condition in JavaScript holds.
func (p firefoxTab) waitFor(condition string) {
	p.t.Helper()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(patience); p.value(condition) != "true"; <-again.C {
		if time.Now().After(end) {
			p.t.Fatalf("wait for %s; the page says:\n%s", condition, p.value(`document.body.innerText`))
		}
	}
}

func (p firefoxTab) waitForState(state string) {
	p.t.Helper()
	p.waitFor(fmt.Sprintf(`document.querySelector("#state").dataset.state === %q`, state))
}
