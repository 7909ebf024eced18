package e2e

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/tailwater/tailwater/bridge/bridgetest"
)

func TestBannerLinesWork(t *testing.T) {
	t.Parallel()
	n := startNode(t, nil)
	banner := n.Banner()
	wantAll(t, "the banner", banner,
		n.URL()+"/\n",
		"curl -N "+n.URL()+"/events/chat.room1\n",
		"curl -d hello "+n.URL()+"/events/chat.room1\n",
		"nats -s "+n.NATSURL()+" pub chat.room1 hello\n",
	)
	if !regexp.MustCompile(`nats://127\.0\.0\.1:\d+`).MatchString(banner) {
		t.Errorf("the banner names no NATS URL:\n%s", banner)
	}
}

// Where the embedded server asks for a credential, the banner says which, and how tokens are taken back.
func TestBannerNamesTheCredential(t *testing.T) {
	t.Parallel()
	n := startNode(t, signedIn(settings{"ANONYMOUS_SUBSCRIBE": "chat.>"}))
	dir := n.Settings.Embed.Dir
	wantAll(t, "the banner", n.Banner(),
		filepath.Join(dir, publisherFile)+"\n",
		"nats --context "+filepath.Join(dir, publisherFile)+" pub chat.room1 hello\n",
		"nats --context "+filepath.Join(dir, adminFile)+" kv put tailwater_revoked sub.alice ''\n",
	)
	credentialIn(t, dir, publisherFile)
	credentialIn(t, dir, adminFile)
	secrets.Overhear(n.Banner())
}

// With one's own NATS the banner names what may be used there, and nothing that is refused.
func TestBannerNamesWhatIsAllowed(t *testing.T) {
	t.Parallel()
	server := bridgetest.StartNATSServer(t)
	n := startNode(t, settings{"NATS_URL": server.URL(), "ANONYMOUS_SUBSCRIBE": "news.*.latest,orders.>", "ANONYMOUS_PUBLISH": "orders.>"})
	banner := n.Banner()
	wantAll(t, "the banner", banner,
		n.URL()+"/\n", // the page, which offers them
		"curl -N "+n.URL()+"/events/news.a.latest\n",
		"nats -s "+server.URL()+" pub news.a.latest hello\n",
		"curl -d hello "+n.URL()+"/events/orders.a\n",
	)
	for _, refused := range []string{"Clock", "chat.room1"} {
		if strings.Contains(banner, refused) {
			t.Errorf("the banner names %s, which is refused:\n%s", refused, banner)
		}
	}
	reader, _ := subscribe(t, n.URL()+"/events/news.a.latest", "")
	noError(t, publisher(t, server.URL()).Publish("news.a.latest", []byte("hello")))
	reader.expect("message", "hello")
}

func TestBannerNamesAHostThatWorks(t *testing.T) {
	t.Parallel()
	n := startNode(t, openToAll(settings{"HTTP_HOSTS": "chat.example.com"}))
	banner := n.Banner()
	if want := "curl -H 'Host: chat.example.com' -d hello " + n.URL(); !strings.Contains(banner, want) {
		t.Errorf("the banner lacks %q:\n%s", want, banner)
	}
	if strings.Contains(banner, "Page") {
		t.Errorf("the banner names a page that is refused:\n%s", banner)
	}
}
