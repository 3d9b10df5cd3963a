// Package gen writes what is generated from the configuration's shapes and the connectors' Specs: docs/configuration.md
// and lockstep.schema.json. It is a test, so that what is committed is checked wherever the tests run; `make gen`
// runs it with LOCKSTEP_GEN=1, and then it writes.
package gen

//go:generate env LOCKSTEP_GEN=1 go test -count=1 -run TestGenerated .
