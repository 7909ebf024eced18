package check

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/tailwater/tailwater/cmd/tailwater/node"
	"github.com/tailwater/tailwater/configs"
)

// taken reports addresses and a folder that the bridge needs and another process uses, because the bridge could not start. Often that
// process is the bridge itself.
func taken(settings *configs.Settings) error {
	problems := []error{
		free("HTTP_LISTEN", string(settings.HTTP.Listen)),
		free("ADMIN_LISTEN", string(settings.Admin.Listen)),
	}
	if settings.Embedded() {
		problems = append(problems, takenByServer(settings)...)
	}
	return errors.Join(problems...)
}

// takenByServer is taken for the embedded server. Errors of its configuration are reported elsewhere.
func takenByServer(settings *configs.Settings) (problems []error) {
	config, err := node.Embedded(settings)
	if err != nil {
		return nil
	}
	listeners, _ := config.Listeners()
	for _, l := range listeners {
		problems = append(problems, free(l.Setting, l.Address))
	}
	return append(problems, config.CheckFolder())
}

// free returns an error if it is not possible to listen on a setting's address.
func free(setting, address string) error {
	if address == "" {
		return nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return node.ErrSetting(setting, fmt.Errorf("%w%s; stop that process, or set another address", err, holder(address)))
	}
	return listener.Close()
}

// holderPatience is how long the process at an address may take to identify itself.
const holderPatience = time.Second

// holder returns which process listens on an address, if it can be recognized: a NATS server introduces itself, a bridge answers.
func holder(address string) string {
	conn, err := net.DialTimeout("tcp", address, holderPatience)
	if err != nil {
		return ""
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(holderPatience))
	fmt.Fprint(conn, "GET /readyz HTTP/1.0\r\nHost: localhost\r\n\r\n")
	said, _ := io.ReadAll(io.LimitReader(bufio.NewReader(conn), 4<<10))
	text := strings.ToLower(string(said))
	switch {
	case strings.HasPrefix(text, "info {") && strings.Contains(text, `"server_name":"tailwater"`):
		return " by the NATS server inside a bridge that runs already"
	case strings.HasPrefix(text, "info {"):
		return " by a NATS server"
	case strings.HasPrefix(text, "http/") && (strings.Contains(text, "tailwater") || strings.Contains(text, "ready; ")):
		return " by a bridge that runs already"
	case strings.HasPrefix(text, "http/"):
		return " by another HTTP server"
	}
	return ""
}
