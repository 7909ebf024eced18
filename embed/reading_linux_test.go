package embed_test

import (
	"errors"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tailwater/tailwater/embed"
)

// opened returns how often a file is opened while do runs.
func opened(t *testing.T, path string, do func()) (count int) {
	t.Helper()
	watch, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(watch)
	// Two equal events that follow each other are reported as one. An open and a close are not equal.
	if _, err := unix.InotifyAddWatch(watch, path, unix.IN_OPEN|unix.IN_CLOSE); err != nil {
		t.Fatal(err)
	}
	do()
	events := make([]byte, 4096)
	for {
		n, err := unix.Read(watch, events)
		if errors.Is(err, unix.EAGAIN) {
			return count
		}
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < n; {
			event := (*unix.InotifyEvent)(unsafe.Pointer(&events[at]))
			if event.Mask&unix.IN_OPEN != 0 {
				count++
			}
			at += unix.SizeofInotifyEvent + int(event.Len)
		}
	}
}

// The bytes that are judged are the bytes that are applied: a file that changes between two reads could escape judgement.
func TestFileIsReadOnce(t *testing.T) {
	for name, text := range map[string]string{
		"guarded": "max_payload: 2MB\n",
		"users":   "authorization { users = [ {user: ann, password: swordfish} ] }\n",
	} {
		t.Run(name, func(t *testing.T) {
			config := guarded(withFile(t, text))
			if n := opened(t, config.File, func() {
				if _, err := config.Listeners(); err != nil {
					t.Error(err)
				}
			}); n != 1 {
				t.Errorf("Listeners reads the file %d times", n)
			}
			var server *embed.Server
			if n := opened(t, config.File, func() { server = start(t, config) }); n != 1 {
				t.Errorf("Start reads the file %d times", n)
			}
			if n := opened(t, config.File, func() {
				if err := server.Reload(); err != nil {
					t.Error(err)
				}
			}); n != 1 {
				t.Errorf("Reload reads the file %d times", n)
			}
		})
	}
}
