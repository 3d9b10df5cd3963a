// Package pimcore reads and writes Pimcore's data objects by DataHub GraphQL: Pimcore 10.6 to 12. What GraphQL can and
// cannot do there was observed on a running Pimcore; the traps are named where they are heeded.
//
// By subject: the settings (spec.go), one POST and its errors (client.go), what the endpoint offers (schema.go), field
// paths (path.go), streams and their fields (streams.go, derive.go), the documents that are sent (query.go), filters
// (filter.go), reading answers (cursor.go, decode.go), and what the seams of lockstep ask for (scan.go, changes.go,
// fetch.go, hints.go, examine.go).
package pimcore
