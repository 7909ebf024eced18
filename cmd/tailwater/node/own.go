package node

import (
	"github.com/tailwater/tailwater/bridge/auth"
	"github.com/tailwater/tailwater/configs"
)

// The bridge's own buckets, such as that of revoked tokens, in an embedded server.

// ownBuckets returns the buckets that an embedded server is to keep for the bridge alone.
func ownBuckets(settings *configs.Settings) []string {
	if !settings.Auth.SignsIn() {
		return nil
	}
	return []string{auth.RevokedBucket}
}

// AdminContext returns the path of the context that writes those buckets; "" where there is none.
func AdminContext(settings *configs.Settings) string {
	if !settings.Embedded() {
		return ""
	}
	_, admin := EmbedConfig(settings).Contexts()
	return admin
}
