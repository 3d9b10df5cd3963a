// Package all is the list of the connectors in this repository. It is a value, generated from the folders of
// connector/: nothing registers itself.
package all

//go:generate go run ./gen
//go:generate go run ./docs
