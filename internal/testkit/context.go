package testkit

import "context"

// background outlives a test: cleanups run after the test's own context has ended.
func background() context.Context { return context.Background() }
