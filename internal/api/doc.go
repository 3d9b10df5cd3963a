package api

//go:generate env LOCKSTEP_GEN=1 go test -count=1 -run ^TestGenerated .
