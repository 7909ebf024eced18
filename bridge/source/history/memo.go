package history

import "sync"

// mostRemembered is how many results a memo holds before it forgets all of them, because callers choose the keys.
const mostRemembered = 256

// memo remembers results by key. The zero value is ready.
type memo[K comparable, V any] struct {
	mu sync.Mutex
	of map[K]V
}

// get returns what was put for the key; the zero value for nothing.
func (m *memo[K, V]) get(key K) V {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.of[key]
}

func (m *memo[K, V]) put(key K, value V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.of == nil || len(m.of) >= mostRemembered {
		m.of = map[K]V{}
	}
	m.of[key] = value
}
