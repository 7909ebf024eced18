package bridge

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"maps"
	"slices"
	"strings"
)

// HeaderMessageID holds the id with which JetStream recognizes a message that it has already stored, on any subject of the stream.
const HeaderMessageID = "Nats-Msg-Id"

// keyPrefix begins the ids of MessageID.
const keyPrefix = "tailwater-key."

// MessageID returns the value of HeaderMessageID for a message that a caller sends with an Idempotency-Key: a hash of caller, subject and key,
// so that callers cannot use each other's keys. Anonymous callers have no names, and their addresses change. So their event name and payload are
// hashed as well: only the same message counts as a repetition.
func MessageID(caller Caller, subject Subject, key, event string, data []byte) string {
	sum := sha256.New()
	for _, field := range []string{caller.Name, string(subject), key} {
		hashField(sum, []byte(field))
	}
	if caller.Anonymous() {
		hashField(sum, []byte(event))
		hashField(sum, data)
	}
	return keyPrefix + base64.RawURLEncoding.EncodeToString(sum.Sum(nil))
}

// hashField hashes a field after its length, so that different lists of fields have different hashes.
func hashField(sum hash.Hash, field []byte) {
	var size [8]byte
	binary.BigEndian.PutUint64(size[:], uint64(len(field)))
	sum.Write(size[:])
	sum.Write(field)
}

// withoutKeys returns a message's headers without ids of MessageID, which concern only the caller and the stream. Ids of other publishers stay.
func withoutKeys(header map[string][]string) map[string][]string {
	isKey := func(id string) bool { return strings.HasPrefix(id, keyPrefix) }
	ids := header[HeaderMessageID]
	if !slices.ContainsFunc(ids, isKey) {
		return header
	}
	shown := maps.Clone(header)
	shown[HeaderMessageID] = slices.DeleteFunc(slices.Clone(ids), isKey)
	if len(shown[HeaderMessageID]) == 0 {
		delete(shown, HeaderMessageID)
	}
	return shown
}
