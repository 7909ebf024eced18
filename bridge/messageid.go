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

// HeaderMessageID holds the id by which JetStream knows a message that it has stored already, on whatever subject of the stream.
const HeaderMessageID = "Nats-Msg-Id"

// keyPrefix begins the ids that MessageID makes.
const keyPrefix = "tailwater-key."

// MessageID returns the value of HeaderMessageID for a message that a caller sends with an Idempotency-Key: a hash of caller, subject
// and key, so that nobody uses up the key of another. Anonymous callers have no name to tell them apart, and their addresses change:
// their event name and payload are hashed as well, so that only the same message is taken for a repetition.
func MessageID(caller Caller, subject Subject, key, event string, data []byte) string {
	sum := sha256.New()
	for _, part := range []string{caller.Name, string(subject), key} {
		hashPart(sum, []byte(part))
	}
	if caller.Anonymous() {
		hashPart(sum, []byte(event))
		hashPart(sum, data)
	}
	return keyPrefix + base64.RawURLEncoding.EncodeToString(sum.Sum(nil))
}

// hashPart hashes a part behind its length, so that no two lists of parts are hashed alike.
func hashPart(sum hash.Hash, part []byte) {
	var size [8]byte
	binary.BigEndian.PutUint64(size[:], uint64(len(part)))
	sum.Write(size[:])
	sum.Write(part)
}

// withoutKeys returns a message's headers without the ids that MessageID made: they are between a caller and the stream. Those that
// other publishers choose stay.
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
