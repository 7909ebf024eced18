package embed

import (
	"errors"
	"fmt"
)

// Reload reads the configuration file anew and applies what can change in a running server: users, accounts, TLS, limits and
// the like. If the file holds anything else that is new, nothing changes, and the error says what it is. Clients whose
// permission ends are disconnected; others stay.
func (s *Server) Reload() error {
	said, err := s.config.options()
	if err != nil {
		return err
	}
	if s.config.guards(said) != s.IsGuarded() {
		return errors.New("TAILWATER_EMBED_CONFIG: it says otherwise than before who may come in, and so where the bridge's own buckets are; restart")
	}
	options, signIn, err := s.config.admit(said)
	switch {
	case err != nil:
		return err
	case (signIn == nil) != (s.signIn == nil), options.Authorization != s.token:
		return errors.New("TAILWATER_EMBED_CONFIG: it asks the bridge itself to sign in another way than before; restart")
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	running := s.running.Load()
	if running == nil {
		return errNotRunning
	}
	next := options.Clone()
	next.Port = s.options.Port
	if err := running.ReloadOptions(options); err != nil {
		return fmt.Errorf("TAILWATER_EMBED_CONFIG: %w", err)
	}
	s.options = next
	return nil
}
