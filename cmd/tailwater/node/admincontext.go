package node

import (
	"github.com/tailwater/tailwater/configs"
)

// The bridge's own buckets in an embedded server, such as that of revoked tokens.

// AdminContext returns the path of the context that can write those buckets; "" if there is none.
func AdminContext(settings *configs.Settings) string {
	if !settings.Embedded() {
		return ""
	}
	_, admin := EmbedConfig(settings).Contexts()
	return admin
}
