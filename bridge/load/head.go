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
	bodyShown = 1000 // bytes of the body of a refusal
)

var errHead = errors.New("the answer is no HTTP response")

// answer is what a head says about the body behind it.
type answer struct {
	chunked bool
	body    int // how many of the bytes are behind the head
}

// readHead reads the head of a response from what has come so far. It gives nil where more must come, and an error where
// no event stream does; over says that nothing more will come.
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
		return nil, nil // the rest of the body says why
	}
	if response.StatusCode == http.StatusOK {
		return nil, fmt.Errorf("it answers with a page instead of an event stream: %s", shown(body))
	}
	return nil, fmt.Errorf("it answers %s: %s", response.Status, shown(body))
}

// shown gives the beginning of a body, on one line.
func shown(body []byte) string {
	return strings.Join(strings.Fields(string(body[:min(len(body), bodyShown)])), " ")
}
