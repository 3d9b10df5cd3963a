// Package connectortest is the contract of connectors as a test suite. What it does not say is not promised; a bug
// found in one connector becomes a test here, for all of them.
//
// A connector's own test makes a Harness and calls Run:
//
//	func TestContract(t *testing.T) {
//		connectortest.Run(t, connectortest.Harness{New: newPlace})
//	}
//
// Tests of what a system cannot do are left out, never skipped, so that a skip always means something.
package connectortest
