package binlog

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/google/uuid"

	"github.com/lockstep-sync/lockstep"
)

// Flavor is which of the two families a server is of.
type Flavor string

// The flavors. MySQL without GTIDs is followed by file and offset.
const (
	MariaDB   Flavor = "mariadb"
	MySQL     Flavor = "mysql"
	MySQLFile Flavor = "mysql-file"
)

// place is a position: behind which transactions we are, and how much of the next one was delivered.
type place struct {
	Flavor Flavor `json:"flavor"`
	// GTIDs are the transactions delivered whole: MariaDB's "domain-server-sequence", one for each domain, or MySQL's
	// set. It is the position; File and Offset are one only where the server has no GTIDs.
	GTIDs  string `json:"gtids,omitempty"`
	File   string `json:"file"`
	Offset uint64 `json:"offset,omitempty"`
	// Rows are how many row changes of the next transaction were delivered; Half: and the delete of the next one, whose
	// key was changed.
	Rows int64 `json:"rows,omitempty"`
	Half bool  `json:"half,omitempty"`
	// Server and Born tell whether File is still the file we read: who wrote it, and when it was begun. After RESET
	// MASTER the same GTIDs name other transactions.
	Server string `json:"server"`
	Born   int64  `json:"born"`
	// Innocent are the prepared XA transactions that did not touch the table.
	Innocent []string `json:"xa,omitempty"`
}

// Bounds of a position's text: a set of GTIDs of a long life with many servers is some thousand bytes.
const (
	maxPlace    = 1 << 20
	maxInnocent = 1000
)

var errPlace = errors.New("the position is not one of this tracker")

func lost(format string, args ...any) error {
	return lockstep.Faultf(lockstep.CodePosition, format, args...)
}

func readPlace(from lockstep.Position) (place, error) {
	var p place
	if len(from) > maxPlace || json.Unmarshal(from, &p) != nil || !p.sound() {
		return place{}, lockstep.NewFault(lockstep.CodePosition, errPlace)
	}
	return p, nil
}

func (p *place) sound() bool {
	if p.Rows < 0 || len(p.Innocent) > maxInnocent || p.File == "" || strings.ContainsAny(p.File, "\x00'\\") || len(p.File) > 512 {
		return false
	}
	switch p.Flavor {
	case MySQLFile:
		return p.GTIDs == "" && p.Offset >= 4
	case MariaDB, MySQL:
		_, err := parseGTIDs(p.Flavor, p.GTIDs)
		return err == nil
	}
	return false
}

func (p *place) position() lockstep.Position {
	b, err := json.Marshal(p)
	if err != nil { // texts and numbers only
		panic(err)
	}
	return b
}

// gtids is a set of transactions: MariaDB's last one of each domain, or MySQL's intervals.
type gtids struct {
	domains map[uint32]gtid
	set     *mysql.MysqlGTIDSet
}

// gtid is the name of a transaction: MariaDB's domain, server and sequence, or MySQL's source, tag and number.
type gtid struct {
	domain, server uint32
	seq            uint64
	source         uuid.UUID
	tag            mysql.Tag
}

func (g gtid) String() string { return fmt.Sprintf("%d-%d-%d", g.domain, g.server, g.seq) }

func parseGTIDs(f Flavor, text string) (gtids, error) {
	switch f {
	case MySQL:
		return parseSet(text)
	case MariaDB:
		domains, err := parseDomains(text)
		return gtids{domains: domains}, err
	}
	return gtids{}, nil
}

func parseDomains(text string) (map[uint32]gtid, error) {
	domains := map[uint32]gtid{}
	if text == "" {
		return domains, nil
	}
	for one := range strings.SplitSeq(text, ",") {
		parts := strings.Split(strings.TrimSpace(one), "-")
		if len(parts) != 3 {
			return nil, errPlace
		}
		domain, err1 := strconv.ParseUint(parts[0], 10, 32)
		server, err2 := strconv.ParseUint(parts[1], 10, 32)
		seq, err3 := strconv.ParseUint(parts[2], 10, 64)
		if _, doubled := domains[uint32(domain)]; doubled || errors.Join(err1, err2, err3) != nil {
			return nil, errPlace
		}
		domains[uint32(domain)] = gtid{domain: uint32(domain), server: uint32(server), seq: seq}
	}
	return domains, nil
}

func parseSet(text string) (_ gtids, err error) {
	defer func() { // the library slices a text that it has not looked at
		if recover() != nil {
			err = errPlace
		}
	}()
	text = strings.Map(func(r rune) rune { // servers break long sets into lines
		if r == '\n' || r == ' ' || r == '\r' {
			return -1
		}
		return r
	}, text)
	set, err := mysql.ParseMysqlGTIDSet(text)
	if err != nil {
		return gtids{}, errPlace
	}
	return gtids{set: set.(*mysql.MysqlGTIDSet)}, nil
}

func (g *gtids) add(t gtid) {
	switch {
	case g.set != nil:
		g.set.AddGTIDWithTag(t.source, t.tag, int64(t.seq))
	case g.domains != nil:
		g.domains[t.domain] = t
	}
}

// reached tells whether all of goal is in g. A MariaDB's sequence only grows in a domain; where it does not (servers
// that write to one domain, each by its own count), it is the last one that counts.
func (g *gtids) reached(goal gtids) bool {
	if g.set != nil {
		return goal.set != nil && g.set.Contain(goal.set)
	}
	for domain, want := range goal.domains {
		have, ok := g.domains[domain]
		if !ok || (have.seq < want.seq && have != want) {
			return false
		}
	}
	return true
}

// ahead tells whether g has what a MariaDB whose log ends at end cannot have given us: the log was thrown away. Servers
// that write to one domain count by themselves: those are not compared.
func (g *gtids) ahead(end gtids) bool {
	for domain, have := range g.domains {
		last, ok := end.domains[domain]
		if !ok || last.server == have.server && last.seq < have.seq {
			return true
		}
	}
	return false
}

func (g *gtids) String() string {
	if g.set != nil {
		return g.set.String()
	}
	var texts []string
	for _, domain := range slices.Sorted(maps.Keys(g.domains)) {
		texts = append(texts, g.domains[domain].String())
	}
	return strings.Join(texts, ",")
}

// fileNumber is the number at the end of a log file's name.
func fileNumber(name string) (uint64, bool) {
	_, number, found := strings.Cut(name[max(0, strings.LastIndexByte(name, '.')):], ".")
	n, err := strconv.ParseUint(number, 10, 64)
	return n, found && err == nil
}
