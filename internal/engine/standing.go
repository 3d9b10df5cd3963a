package engine

// standing is how the two sides of a link stand to each other, and to how they were when last level (law 6).
type standing struct {
	ours, theirs bool // changed since, as the flow that reads the side would carry it
	// agree: one of the two flows would leave what the other side has in the fields that both carry. That settles it:
	// what a flow wrote comes back as its echo, also where a mapping loses something (rounds, trims, folds).
	agree   bool
	own     bool // fields that only this flow decides are not as it would have them
	ownBack bool // fields that only the flow back decides are not as that would have them
}

// course is what a flow of a pair makes of a standing.
type course uint8

const (
	level course = iota // nothing to say
	send                // ours goes over
	leave               // theirs is the news: the flow back brings it
	clash               // both are news: the policy decides
)

func (s standing) course() course {
	switch {
	case !s.agree && s.theirs && s.ours:
		return clash
	case !s.agree && s.theirs:
		return leave
	case s.own || !s.agree && s.ours:
		return send
	}
	return level
}

// carried tells whether all that theirs has to say has been said once this flow has levelled the two.
func (s standing) carried() bool { return !s.theirs || !s.ownBack }
