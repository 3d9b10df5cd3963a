package binlog

// identity tells whether the log that the server sends is the one that a place was made in. A server whose log was
// thrown away (RESET MASTER), or that was restored from a copy, gives the names of old transactions to new ones: by name
// alone we would go on behind a gap.
type identity struct {
	from  place
	at    gtids
	alien bool // another server than the place was made on: its files are its own, the GTIDs alone tell
	done  bool // the first transaction came
	later bool // the server began with a later file than that of the place
}

// file is called with each file; the first one is where the server begins.
func (c *identity) file(name string, born int64) error {
	if c.done || c.alien || c.from.File == "" || c.from.Born == 0 {
		return nil
	}
	c.later = false
	if name == c.from.File {
		if born != c.from.Born {
			return lost("log file %s is not the one we read: the server's log was thrown away, or the server was restored", name)
		}
		return nil
	}
	was, ok1 := fileNumber(c.from.File)
	is, ok2 := fileNumber(name)
	if ok1 && ok2 && (is < was || born < c.from.Born) {
		return lost("the server's log begins at %s again, we were in %s: it was thrown away, or the server was restored", name, c.from.File)
	}
	c.later = true
	return nil
}

// list is called with the transactions before a MariaDB's file: the last of each server, and of each domain the
// newest at the end. Where the server begins with a later file than ours, nothing happened between: these are the
// transactions we have.
func (c *identity) list(body []byte) error {
	if c.done || c.alien || !c.later {
		return nil
	}
	newest, r := map[uint32]gtid{}, reader{b: body}
	for n := r.uint(4) & (1<<28 - 1); n > 0 && r.err == nil; n-- {
		g := gtid{domain: uint32(r.uint(4)), server: uint32(r.uint(4)), seq: r.uint(8)}
		newest[g.domain] = g
	}
	if r.err != nil {
		return unreadable(r.err)
	}
	for domain, g := range newest {
		if c.at.domains[domain] != g {
			return lost("the server's log is not the one we read: it was thrown away, or the server was restored")
		}
	}
	return nil
}
