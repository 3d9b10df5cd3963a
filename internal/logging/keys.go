package logging

// The keys of attributes. One thing has one key wherever it is logged.
const (
	Flow    = "flow"
	System  = "system"
	Stream  = "stream"
	Key     = "key"
	Feed    = "feed"
	Run     = "run"
	State   = "state"
	Code    = "code" // of a fault
	Err     = "err"
	Next    = "next" // what to do
	Pause   = "pause"
	Changes = "changes"
	Socket  = "socket"
	Store   = "store"
	Version = "version"
	Address = "address" // of the HTTP API
	Request = "request" // the id of one of the HTTP API
)
