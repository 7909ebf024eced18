package node

import (
	"fmt"

	"github.com/tailwater/tailwater/configs"
	"github.com/tailwater/tailwater/embed"
)

// Inspect returns the exposed listeners of the embedded server, because configs does not know nats-server, and embed does not know
// settings. The error is that of embed.Config.Listeners. Inspect leaves the file that it has read in the settings.
func Inspect(settings *configs.Settings) ([]configs.Exposure, error) {
	if path := settings.Embed.Config; path != "" {
		file, err := embed.ReadFile(path)
		if err != nil {
			return nil, err
		}
		settings.EmbedFile = file
	}
	config := embedConfig(settings)
	listeners, err := config.Listeners()
	var exposures []configs.Exposure
	for _, l := range listeners {
		if !l.IsLoopback() {
			exposures = append(exposures, configs.Exposure{
				Setting: l.Setting,
				Reason:  fmt.Sprintf("the %s listener of the embedded server, %s, is not loopback", l.Kind, l.Address),
				Instead: "make it listen on 127.0.0.1",
			})
		}
	}
	return exposures, err
}
