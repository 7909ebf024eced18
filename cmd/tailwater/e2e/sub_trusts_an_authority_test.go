package e2e

import (
	"encoding/pem"
	"strings"
	"testing"
)

// Over TLS a bridge must show a certificate of an authority that is trusted. That is final: waiting does not change it.
func TestSubTrustsAnAuthority(t *testing.T) {
	t.Parallel()
	a := newIssuer(t)
	s, _ := a.settings()
	n := startNode(t, openToAll(with(s, settings{"HISTORY": "chat.>"})))
	ca := "--tlsca=" + a.write("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.root.Raw}))
	if code, out, stderr := call(t, nil, "pub", "chat.a", "hello", ca, "--url="+n.URL()); code != 0 {
		t.Fatalf("pub: exit code %d: %s%s", code, out, stderr)
	}
	if code, out, stderr := call(t, nil, "sub", "chat.a", "--since=all", "-rT", ca, "--url="+n.URL()); code != 0 || out != "hello\n" {
		t.Errorf("sub: exit code %d: %s%s", code, out, stderr)
	}
	for _, command := range []string{"sub chat.a", "pub chat.a x"} {
		args := append(strings.Fields(command), "--url="+n.URL())
		if code, _, stderr := call(t, nil, args...); code != exitFailure || !strings.Contains(stderr, "certificate") {
			t.Errorf("%s without the authority: exit code %d: %s", command, code, stderr)
		}
	}
}
