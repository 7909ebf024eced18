package bridgetest

import (
	"errors"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Reads returns how often a file is read, from where it is opened until it is closed, while something is done.
func Reads(t testing.TB, path string, do func()) (count int) {
	t.Helper()
	watch, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(watch)
	// The kernel reports two equal events that follow each other as one.
	if _, err := unix.InotifyAddWatch(watch, path, unix.IN_ACCESS|unix.IN_CLOSE); err != nil {
		t.Fatal(err)
	}
	do()
	wasRead := false
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
			switch {
			case event.Mask&unix.IN_ACCESS != 0:
				wasRead = true
			case wasRead:
				wasRead = false
				count++
			}
			at += unix.SizeofInotifyEvent + int(event.Len)
		}
	}
}
