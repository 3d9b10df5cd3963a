package lockstep

// Code is the stable name of a kind of fault: what people search for, what alerts and tests match.
type Code string

// CodeInfo is what is known about a code. docs/faults.md is printed from Codes.
type CodeInfo struct {
	Code  Code
	Kind  FaultKind
	Title string
	Next  string // one sentence: what to do
}

// The codes of the house. A connector out of tree may add its own, with the fields of Fault set by hand.
const (
	CodeUnclassified  Code = "LS-UNKNOWN"
	CodeTimeout       Code = "LS-TIMEOUT"
	CodeNetwork       Code = "LS-NETWORK"
	CodeUnavailable   Code = "LS-UNAVAILABLE"
	CodeThrottled     Code = "LS-THROTTLED"
	CodeServer        Code = "LS-SERVER"
	CodeDeadlock      Code = "LS-DEADLOCK"
	CodeLogin         Code = "LS-LOGIN"
	CodeRights        Code = "LS-RIGHTS"
	CodeConfig        Code = "LS-CONFIG"
	CodeSecret        Code = "LS-SECRET"
	CodeNoStream      Code = "LS-NO-STREAM"
	CodeNoField       Code = "LS-NO-FIELD"
	CodeNoKey         Code = "LS-NO-KEY"
	CodeKey           Code = "LS-KEY"
	CodeNullKey       Code = "LS-NULL-KEY"
	CodeDoubledKey    Code = "LS-DOUBLED-KEY"
	CodeClaimed       Code = "LS-CLAIMED"
	CodeTooLarge      Code = "LS-TOO-LARGE"
	CodeValue         Code = "LS-VALUE"
	CodeMapping       Code = "LS-MAPPING"
	CodeUnique        Code = "LS-UNIQUE"
	CodeConstraint    Code = "LS-CONSTRAINT"
	CodeReference     Code = "LS-REFERENCE"
	CodeRing          Code = "LS-RING"
	CodeReferred      Code = "LS-REFERRED"
	CodeVersionMoved  Code = "LS-VERSION-MOVED"
	CodeGone          Code = "LS-GONE"
	CodeAmbiguous     Code = "LS-AMBIGUOUS"
	CodeBlind         Code = "LS-BLIND"
	CodeFile          Code = "LS-FILE"
	CodeFormat        Code = "LS-FORMAT"
	CodeClock         Code = "LS-CLOCK"
	CodePosition      Code = "LS-POSITION"
	CodeNotTracked    Code = "LS-NOT-TRACKED"
	CodeShortRead     Code = "LS-SHORT-READ"
	CodeDeleteBrake   Code = "LS-DELETE-BRAKE"
	CodeTargetEdit    Code = "LS-TARGET-EDIT"
	CodeStalePlan     Code = "LS-STALE-PLAN"
	CodeStoreLocked   Code = "LS-STORE-LOCKED"
	CodeStore         Code = "LS-STORE"
	CodeStoreFull     Code = "LS-STORE-FULL"
	CodeStoreVersion  Code = "LS-STORE-VERSION"
	CodeMovedCursor   Code = "LS-MOVED-CHECKPOINT"
	CodeNoFlow        Code = "LS-NO-FLOW"
	CodeUsage         Code = "LS-USAGE"
	CodeBusy          Code = "LS-BUSY"
	CodeInvariant     Code = "LS-INVARIANT"
	CodeCannot        Code = "LS-CANNOT"
	CodeDaemon        Code = "LS-DAEMON"
	CodeTooManyFailed Code = "LS-TOO-MANY-FAILED"
	CodeDrift         Code = "LS-DRIFT"
	CodeNotice        Code = "LS-NOTICE"
	CodeSignature     Code = "LS-SIGNATURE"
	CodeToken         Code = "LS-TOKEN"
	CodeHidden        Code = "LS-HIDDEN"
	CodeRequest       Code = "LS-REQUEST"
	CodeCrowded       Code = "LS-CROWDED"
	CodeLease         Code = "LS-LEASE"
	CodeUnsettled     Code = "LS-UNSETTLED"
	CodePullRetry     Code = "LS-PULL-RETRY"
	CodePullFailed    Code = "LS-PULL-FAILED"
)

// Codes is the table of all codes.
var Codes = []CodeInfo{
	{CodeUnclassified, Unclassified, "an error that nobody has classified", "Read the message; if it comes back, report it with the output of `lockstep explain`."},
	{CodeTimeout, Transient, "no answer in time", "Nothing to do: it is tried again after looking at the target; if it persists, check the system's load and the timeout setting."},
	{CodeNetwork, Transient, "the connection broke", "Nothing to do: it is tried again; if it persists, check the network between lockstep and the system."},
	{CodeUnavailable, Unavailable, "the system does not answer", "Check that the system runs and that its address in the configuration is right; lockstep goes on by itself."},
	{CodeThrottled, Throttled, "the system asks us to slow down", "Nothing to do: the flow waits as told; lower `rate` if it happens often."},
	{CodeServer, Transient, "the system failed inside", "Nothing to do: it is tried again; if it persists, look into the system's own log."},
	{CodeDeadlock, Transient, "a deadlock or a lock wait", "Nothing to do: it is tried again."},
	{CodeLogin, Denied, "the system refused the credentials", "Check user, password or token in the configuration, then start the flow again."},
	{CodeRights, Denied, "the user lacks a right", "Grant the right that the message names, then start the flow again."},
	{CodeConfig, Invalid, "the configuration is wrong", "Mend the places named, then run `lockstep check`."},
	{CodeSecret, Invalid, "a secret cannot be read", "Set the environment variable or create the file that the message names."},
	{CodeNoStream, Denied, "there is no such stream", "Check the name with `lockstep doctor`; for a target, `create: true` makes the table."},
	{CodeNoField, Denied, "there is no such field", "Check the name with `lockstep doctor` and mend the mapping."},
	{CodeNoKey, Denied, "the stream has no key", "Name the key fields with `key:` under the system's `streams:`."},
	{CodeKey, Invalid, "a key cannot be understood", "Check the key's form: plain text, or a JSON array for a composite key."},
	{CodeNullKey, Invalid, "a record has a key that is null", "Give the record a key in the source; it is read again with the next full sync."},
	{CodeDoubledKey, Invalid, "two records of the source have one key", "Remove one of the two in the source, or name key fields that tell them apart."},
	{CodeClaimed, Invalid, "the target record belongs to another source record", "Both are named; remove or merge one of them in the source."},
	{CodeTooLarge, Invalid, "a record is larger than the limit", "Raise `max_record` of the system, or make the record smaller."},
	{CodeValue, Invalid, "a value does not fit the target's field", "Mend the value in the source, or convert it in the mapping."},
	{CodeMapping, Invalid, "the mapping failed for this record", "Mend the mapping or the record, then `lockstep parked retry`."},
	{CodeUnique, Invalid, "a unique constraint of the target is violated", "Find the record that holds the value already and settle which is right."},
	{CodeConstraint, Invalid, "a constraint of the target is violated", "Mend the value in the source, or convert it in the mapping."},
	{CodeReference, Waiting, "a record that this one refers to is not there yet", "Nothing to do: it goes as soon as the other one is there; `lockstep explain` says which."},
	{CodeRing, Invalid, "records wait for each other in a ring", "Write `later(link(…))` in the mapping of one of them: it is then sent without that reference, and again once the other one is there. Where one is mended so, the others go by themselves."},
	{CodeReferred, Waiting, "the target record is still referred to", "Nothing to do: it is deleted once those that refer to it were sent again or deleted, or after ten minutes; `lockstep explain` names them."},
	{CodeVersionMoved, Conflict, "the target record changed meanwhile", "Nothing to do: it is looked at again."},
	{CodeGone, NotFound, "the target record is not there", "Nothing to do: it is created again, or the delete counts as done."},
	{CodeAmbiguous, Invalid, "the match fields find more than one target record", "Remove the double in the target, or name match fields that tell them apart."},
	{CodeBlind, Invalid, "the outcome of an earlier try is unknown and the target cannot be looked at", "Look in the target yourself, then `lockstep parked retry` or `discard`."},
	{CodeFile, Invalid, "a file cannot be read or written", "Check the path and its rights."},
	{CodeFormat, Invalid, "a file is not in its declared format", "Mend the file at the place named."},
	{CodeClock, Lost, "the source's clock is behind our position", "Set the clock right, then run `lockstep sync FLOW --full`."},
	{CodePosition, Lost, "the position is not valid any more", "Run `lockstep sync FLOW --full`."},
	{CodeNotTracked, Denied, "what the tracker needs inside the source is not there", "Run `lockstep track install FLOW`, then start the flow again."},
	{CodeShortRead, Invalid, "the read was empty or short, so nothing is deleted", "Check the source; if it is right, run the full sync with `--allow-deletes`."},
	{CodeDeleteBrake, Invalid, "more deletes than the brake allows", "Look at `lockstep plan`; if it is right, run the full sync with `--allow-deletes`."},
	{CodeTargetEdit, Conflict, "the target was edited and on_target_edit is park", "Decide which side is right: edit the source, or `lockstep parked retry` to overwrite the target."},
	{CodeStalePlan, Invalid, "the plan is out of date", "Make a new plan with `lockstep plan` and apply that."},
	{CodeStoreLocked, Unavailable, "another process owns the store", "Stop the other lockstep, or give this one its own `store:`."},
	{CodeStore, Unavailable, "the store cannot be read or written", "Check the disk and the rights of the store's folder."},
	{CodeStoreFull, Unavailable, "the disk of the store is full", "Free space; lockstep goes on by itself and nothing is lost."},
	{CodeStoreVersion, Denied, "the store was written by a newer lockstep", "Use that version, or a new store."},
	{CodeMovedCursor, Broken, "the checkpoint is not where this page began", "Report it with the log; a restart reads the page again."},
	{CodeNoFlow, Invalid, "there is no such flow", "Check the name; `lockstep status` lists the flows."},
	{CodeUsage, Invalid, "the command was used wrongly", "Run it with --help for examples."},
	{CodeBusy, Throttled, "a run of this kind is under way already", "Wait for it to end; `lockstep runs` shows it."},
	{CodeInvariant, Broken, "something that must always hold does not", "Report it: this is a bug of lockstep."},
	{CodeCannot, Denied, "the system cannot do this", "Choose another way; `lockstep doctor` says what the system can do."},
	{CodeDaemon, Unavailable, "the running lockstep does not answer", "Check the process that owns the socket, or remove the stale socket file."},
	{CodeDrift, Denied, "the schema of a side has changed", "`lockstep doctor FLOW` shows how; where the change is right, mend the mapping if it needs that, and accept it with `lockstep resume FLOW`."},
	{CodeNotice, Invalid, "a notice cannot be understood", "Send what docs/api.md describes for this system; nothing was taken from this notice."},
	{CodeSignature, Invalid, "a notice is not signed as it must be", "Check that both sides have the same secret and that their clocks agree; nothing was taken from this notice."},
	{CodeToken, Invalid, "a token is missing, wrong, or may not do this", "Send `Authorization: Bearer TOKEN` with a token of `api.tokens` that is allowed this flow and this work."},
	{CodeHidden, Invalid, "a record refers to something that cannot be seen", "Publish what it refers to, or let the login see it; `lockstep parked retry` then reads the record again."},
	{CodeRequest, Invalid, "a request of the HTTP API cannot be understood", "Compare it with docs/api.md; `/openapi.yaml` says it to programs."},
	{CodeCrowded, Throttled, "more requests at once than the HTTP API takes", "Send it again after the time in Retry-After, and fewer at a time."},
	{CodeLease, Invalid, "a lease is not known, or has ended", "Lease again: what was not settled is handed out again, with the same id."},
	{CodeUnsettled, Transient, "a record was handed out and not settled in time", "Nothing to do: it is handed out again, with the same id; if it persists, look at the program that pulls."},
	{CodePullRetry, Transient, "the program that pulls asks for another try", "Nothing to do: it is handed out again; if it persists, read the program's words."},
	{CodePullFailed, Invalid, "the program that pulls could not take the record", "Read the program's words and mend the record or the program, then `lockstep parked retry`."},
	{CodeTooManyFailed, Invalid, "records failed and wait for a person", "Look at `lockstep parked`, mend the cause, then `lockstep parked retry`."},
}

// Info is the code's row of Codes; a code that is not there is Unclassified.
func (c Code) Info() CodeInfo {
	for _, info := range Codes {
		if info.Code == c {
			return info
		}
	}
	return CodeInfo{Code: c, Next: Codes[0].Next}
}
