package node

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/tailwater/tailwater/configs"
)

// lookEvery is the shortest time between two looks at the files. Handshakes look at them, so nothing runs in the background.
const lookEvery = time.Second

// Certificate is the TLS certificate for browsers. When its files change it is read again. Until both files are complete and fit
// together, the old certificate stays. Open connections keep the certificate that they began with.
type Certificate struct {
	files configs.Certificate
	log   *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	stamps  [2]os.FileInfo // of the files at the last look; nil if that failed
	looked  time.Time
}

// OpenCertificate reads a certificate for the first time.
func OpenCertificate(files configs.Certificate, log *slog.Logger) (*Certificate, error) {
	c := &Certificate{files: files, log: log, stamps: stampsOf(files), looked: time.Now()}
	var err error
	if c.current, err = files.Load(); err != nil {
		return nil, ErrSetting("HTTP_TLS_CERT", fmt.Errorf("read it and its key: %w", err))
	}
	return c, nil
}

// get implements tls.Config.GetCertificate.
func (c *Certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) >= lookEvery {
		c.looked = now
		c.refresh()
	}
	return c.current, nil
}

// reload reads the files even if they seem unchanged, and returns until when the certificate is valid. If they cannot be used, the old
// certificate stays.
func (c *Certificate) reload() (until time.Time, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stamps, c.looked = stampsOf(c.files), time.Now()
	read, err := c.files.Load()
	if err != nil {
		return time.Time{}, err
	}
	c.current = read
	return read.Leaf.NotAfter, nil
}

// refresh reads the files if they have changed. The stamps are taken first: a change during the read is noticed next time.
func (c *Certificate) refresh() {
	stamps := stampsOf(c.files)
	if isSame(stamps[0], c.stamps[0]) && isSame(stamps[1], c.stamps[1]) {
		return
	}
	c.stamps = stamps
	read, err := c.files.Load()
	if err != nil {
		c.log.Error("the changed files of TAILWATER_HTTP_TLS_CERT and _KEY cannot be used; the old certificate stays", "error", err)
		return
	}
	c.current = read
	c.log.Info("serving a new certificate", "valid_until", read.Leaf.NotAfter)
}

func stampsOf(files configs.Certificate) (stamps [2]os.FileInfo) {
	for i, path := range []string{files.Cert, files.Key} {
		if info, err := os.Stat(path); err == nil {
			stamps[i] = info
		}
	}
	return stamps
}

// isSame reports whether a file was neither written nor replaced. Times are not ordered: a copy may have an older time.
func isSame(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}
