// Package memory is a system that lives in the process: a source and a target with the rules, the keys and the
// faults of real ones. It is the double that tests of the engine use instead of mocks; it keeps the contract of
// connectortest as every other connector does.
//
// Nothing here starts a goroutine or sleeps, so a System may live in a testing/synctest bubble.
package memory
