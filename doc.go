// Package lockstep is the vocabulary of the house: what a record, a change, a link and a delivery are, and what a
// source, a target and a store must do. It does no I/O, starts no goroutine and imports the standard library (and the
// values beside it) only. docs/concepts.md explains the words; DESIGN laws are cited in the code as "law N".
package lockstep
