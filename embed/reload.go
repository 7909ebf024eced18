package embed

import (
	"errors"
	"fmt"
)

// Reload reads the configuration file again and applies what can change in a running server: users, accounts, TLS, limits and
// the like. If anything else has changed, nothing is applied, and the error names it. Clients that have lost their permission are
// disconnected; others stay.
func (s *Server) Reload() error {
	s.changing.Lock()
	defer s.changing.Unlock()
	config := s.config
	if config.File != nil {
		file, err := ReadFile(config.File.path)
		if err != nil {
			return err
		}
		config.File = file
	}
	options, err := config.options()
	if err != nil {
		return err
	}
	if config.guards(options) != s.IsGuarded() {
		return errors.New("TAILWATER_EMBED_CONFIG: the authorization was added or removed, which moves the bridge's own bucket; restart")
	}
	signIn, err := config.admit(options)
	switch {
	case err != nil:
		return err
	case (signIn == nil) != (s.signIn == nil), options.Authorization != s.options.Authorization:
		return errors.New("TAILWATER_EMBED_CONFIG: the bridge itself would have to sign in differently than before; restart")
	}
	running := s.running.Load()
	if running == nil {
		return errNotRunning
	}
	if options.MaxPayload < s.options.MaxPayload {
		// The server would end the connection of the first client that still sends more, even the bridge's own.
		return fmt.Errorf("TAILWATER_EMBED_CONFIG: max_payload is %d and cannot be lowered while clients are connected, who are not told; restart", s.options.MaxPayload)
	}
	next := options.Clone()
	next.Port = s.options.Port
	if err := running.ReloadOptions(options); err != nil {
		return fmt.Errorf("TAILWATER_EMBED_CONFIG: %w", err)
	}
	s.options = next
	return nil
}
