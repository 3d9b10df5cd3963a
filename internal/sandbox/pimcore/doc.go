// Package pimcore is a stand-in for Pimcore's DataHub GraphQL endpoint: it answers as the real system was seen to
// answer, its traps included. It holds a catalogue in memory, takes edits by GraphQL, by its Go methods and by POST
// /_sandbox/, and can be told to fail. Tests, the demo and newcomers use it; nothing of it is a copy of Pimcore.
package pimcore
