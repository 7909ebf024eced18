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

// taken reports which addresses and which folder the bridge needs and another process has, because it could not start. The
// process is often the bridge itself, which runs already.
func taken(settings *configs.Settings) error {
	problems := []error{
		free("HTTP_LISTEN", string(settings.HTTP.Listen)),
		free("ADMIN_LISTEN", string(settings.Admin.Listen)),
	}
	if settings.Embedded() {
		problems = append(problems, takenByServer(settings))
	}
	return errors.Join(problems...)
}

// takenByServer is taken for the embedded server. What is wrong with its configuration is said elsewhere.
func takenByServer(settings *configs.Settings) error {
	config, err := node.Embedded(settings)
	if err != nil {
		return nil
	}
	address, err := config.Address()
	if err != nil {
		return nil
	}
	return errors.Join(free("EMBED_LISTEN", address), config.CheckFolder())
}

// free returns an error if a setting's address cannot be listened on.
func free(setting, address string) error {
	if address == "" {
		return nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return node.ErrSetting(setting, fmt.Errorf("%w%s; stop what holds the address, or set it to another", err, holder(address)))
	}
	return listener.Close()
}

// holderPatience is how long whoever holds an address may take to say who it is.
const holderPatience = time.Second

// holder says who listens on an address, as far as that can be heard: a NATS server introduces itself, a bridge answers.
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
