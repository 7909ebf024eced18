package embed

// Files in the folder of JetStream's files: contexts of the nats command.
const (
	publisherFile = "tailwater-nats.json"
	adminFile     = "tailwater-admin.json"
)
