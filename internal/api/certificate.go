package api

import (
	"crypto/tls"
	"os"
	"sync"
	"time"
)

// certificate is a pair of files, read again when one of them was written: certificates are renewed every few weeks.
type certificate struct {
	cert, key string

	mu     sync.Mutex
	loaded *tls.Certificate
	stamp  [2]time.Time
}

func (c *certificate) get() (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var stamp [2]time.Time
	for i, name := range [2]string{c.cert, c.key} {
		if info, err := os.Stat(name); err == nil {
			stamp[i] = info.ModTime()
		}
	}
	if c.loaded != nil && stamp == c.stamp {
		return c.loaded, nil
	}
	fresh, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		if c.loaded != nil { // one of the two is not written yet: the old pair will do
			return c.loaded, nil
		}
		return nil, err
	}
	c.loaded, c.stamp = &fresh, stamp
	return c.loaded, nil
}
