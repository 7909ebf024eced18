package load

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Plan says what to do to a server, and how to measure it.
type Plan struct {
	URLs    []string // of the event streams; {subject} stands for the subject. Connection i goes to URL i mod their number
	Header  []string // header lines of the requests, as "Name: value"
	Subject string   // {n} stands for the number of the subject, from 0

	Dial func() (*nats.Conn, error) // connects to NATS for publishing; nil to publish otherwise
	Post string                     // URL for publishing by POST; {subject} stands for the subject

	Connections int // reading; connection i reads subject i mod Subjects
	Subjects    int // those without a connection are published on all the same
	Stalled     int // more connections, which stop reading once they are open

	Size     int           // of a payload, in bytes
	Rate     float64       // messages per second, over all subjects; 0 with InFlight
	InFlight int           // messages in flight at any time; 0 with Rate
	Duration time.Duration // of the publishing
	Messages int           // the most messages to publish; 0 for no limit

	Idle     bool          // publish nothing
	Settle   time.Duration // pause between opening the connections and reading memory
	Patience time.Duration // if nothing happens for so long, the run stops waiting
	PIDs     []int         // processes of the server to measure; may be empty

	Watch func(Progress) // called about once a second; may be nil
}

// Limits of a plan. A subject's number and sequence must fit into a record.
const (
	MinSize     = recordLen
	maxSubjects = 1 << (4 * subjectLen)
	maxInFlight = 1 << 20
)

// Check returns everything that is wrong with a plan, with advice.
func (p *Plan) Check() error {
	problems := []error{p.checkSubject(), p.checkPublisher(), p.checkPace()}
	if len(p.URLs) == 0 {
		problems = append(problems, errors.New("--url: give the URL of the event streams"))
	}
	for _, url := range p.URLs {
		problems = append(problems, p.checkURL("url", url))
	}
	check := func(ok bool, format string, values ...any) {
		if !ok {
			problems = append(problems, fmt.Errorf(format, values...))
		}
	}
	check(p.Connections >= 1, "--connections=%d: give at least 1", p.Connections)
	check(p.Subjects >= 1 && p.Subjects <= maxSubjects, "--subjects=%d: give 1 to %d", p.Subjects, maxSubjects)
	check(len(p.URLs) <= p.Connections || p.Connections < 1, "--url is given %d times: there must be a connection for each, and --connections is %d", len(p.URLs), p.Connections)
	check(p.Stalled >= 0, "--stalled=%d: give 0 or more", p.Stalled)
	check(p.Size >= MinSize, "--size=%d: give at least %d bytes, the size of a record", p.Size, MinSize)
	check(p.Messages >= 0, "--messages=%d: give 0 or more", p.Messages)
	check(p.Settle >= 0, "--settle=%v: give 0s or more", p.Settle)
	check(p.Patience > 0, "--patience=%v: give more than 0s", p.Patience)
	check(canMeasure || len(p.PIDs) == 0, "--pid: processes can be measured on Linux alone")
	for _, header := range p.Header {
		name, _, isHeader := strings.Cut(header, ":")
		check(isHeader && name != "" && !strings.ContainsAny(header, "\r\n"), "--header=%q: write it as 'Name: value'", header)
	}
	return errors.Join(problems...)
}

func (p *Plan) checkURL(flag, template string) error {
	u, err := url.Parse(p.fill(template, 0))
	switch {
	case err != nil:
		return fmt.Errorf("--%s: %w", flag, err)
	case flag == "url" && u.Scheme == "https":
		return fmt.Errorf("--url=%s: https is not supported; name the server behind the TLS proxy", template)
	case u.Host == "" || !slices.Contains([]string{"http", "https"}, u.Scheme):
		return fmt.Errorf("--%s=%s: give a URL such as http://127.0.0.1:8080/events/{subject}", flag, template)
	case p.Subjects > 1 && !strings.Contains(template, "{subject}"):
		return fmt.Errorf("--%s=%s: put {subject} where the subject belongs, or use --subjects=1", flag, template)
	}
	return nil
}

func (p *Plan) checkSubject() error {
	if p.Subject == "" || strings.ContainsAny(p.Subject, " \t\r\n*>") {
		return fmt.Errorf("--subject=%q: give a subject without blanks and wildcards", p.Subject)
	}
	if p.Subjects > 1 && !strings.Contains(p.Subject, "{n}") {
		return fmt.Errorf("--subject=%s: put {n} where the number of the subject belongs, or use --subjects=1", p.Subject)
	}
	return nil
}

func (p *Plan) checkPublisher() error {
	switch {
	case p.Idle && (p.Dial != nil || p.Post != ""):
		return errors.New("--idle publishes nothing: leave out the publisher")
	case p.Idle:
		return nil
	case p.Dial != nil && p.Post != "":
		return errors.New("--nats and --post: publish by one of them")
	case p.Post != "":
		return p.checkURL("post", p.Post)
	case p.Dial == nil:
		return errors.New("give --nats or --post to publish")
	}
	return nil
}

func (p *Plan) checkPace() error {
	switch {
	case p.Idle && (p.Rate != 0 || p.InFlight != 0):
		return errors.New("--idle publishes nothing: leave out --rate and --in-flight")
	case p.Idle:
		return nil
	case p.Rate != 0 && p.InFlight != 0:
		return errors.New("--rate and --in-flight: give one of them")
	case p.Rate < 0 || p.Rate == 0 && p.InFlight == 0:
		return fmt.Errorf("--rate=%v: give more than 0 messages a second", p.Rate)
	case p.InFlight < 0 || p.InFlight > maxInFlight:
		return fmt.Errorf("--in-flight=%d: give 1 to %d", p.InFlight, maxInFlight)
	case p.Duration <= 0:
		return fmt.Errorf("--duration=%v: give more than 0s", p.Duration)
	}
	return nil
}
