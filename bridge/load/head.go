package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

const (
	headLimit = 64 << 10
	bodyShown = 1000 // bytes of a refusal's body
)

var errHead = errors.New("the answer is not an HTTP response")

// answer says what follows the head.
type answer struct {
	chunked bool
	body    int // how many bytes after the head have arrived
}

// readHead reads the head of a response. It returns nil if more must arrive, and an error if no event stream follows. over says that
// nothing more will arrive.
func readHead(got []byte, over bool) (*answer, error) {
	end := bytes.Index(got, []byte("\r\n\r\n"))
	if end < 0 {
		if over || len(got) > headLimit {
			return nil, fmt.Errorf("%w: %q", errHead, got[:min(len(got), bodyShown)])
		}
		return nil, nil
	}
	response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(got)), nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errHead, err)
	}
	if response.StatusCode == http.StatusOK && response.ContentLength < 0 {
		return &answer{chunked: slices.Contains(response.TransferEncoding, "chunked"), body: len(got) - end - len("\r\n\r\n")}, nil
	}
	body, err := io.ReadAll(response.Body)
	if err != nil && !over && len(got) < headLimit {
		return nil, nil // the rest of the body has the reason
	}
	if response.StatusCode == http.StatusOK {
		return nil, fmt.Errorf("the server answers with a page instead of an event stream: %s", shown(body))
	}
	return nil, fmt.Errorf("the server answers %s: %s", response.Status, shown(body))
}

// shown returns the beginning of a body, on one line.
func shown(body []byte) string {
	return strings.Join(strings.Fields(string(body[:min(len(body), bodyShown)])), " ")
}
