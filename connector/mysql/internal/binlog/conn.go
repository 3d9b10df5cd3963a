package binlog

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/lockstep-sync/lockstep"
)

// Address is where a server listens and who we are there.
type Address struct {
	Network, Address string // "tcp" and "host:port", or "unix" and a path
	User, Password   string
	TLS              *tls.Config
	Plain            bool                                                                 // where the server offers no TLS, go on without
	Dial             func(ctx context.Context, network, address string) (net.Conn, error) // nil is the usual one
}

// How a connection that has died in silence is found: the server speaks at least so often, and silence is over after so long.
const (
	heartbeat   = 5 * time.Second
	silence     = 30 * time.Second
	dialTimeout = 10 * time.Second
	// writeWait is how long the server keeps a connection whose reader is busy.
	writeWait = 600
)

// conn is a connection that the server dumps its log into.
type conn struct {
	*client.Conn
	raw net.Conn
}

// Close ends it, also under a read: the library's own Close writes what a read writes.
func (c *conn) Close() error { return c.raw.Close() }

func dial(ctx context.Context, a Address) (*conn, error) {
	dialer := a.Dial
	if dialer == nil {
		dialer = (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	c, err := connect(ctx, a, dialer)
	if err != nil && a.Plain && a.TLS != nil && strings.Contains(err.Error(), "does not support TLS") {
		a.TLS = nil
		c, err = connect(ctx, a, dialer)
	}
	if err != nil {
		return nil, fault(err, "connecting for the binary log")
	}
	return c, nil
}

func connect(ctx context.Context, a Address, dialer client.Dialer) (*conn, error) {
	var raw net.Conn
	keep := func(ctx context.Context, network, address string) (_ net.Conn, err error) {
		raw, err = dialer(ctx, network, address)
		return raw, err
	}
	c, err := client.ConnectWithDialer(ctx, a.Network, a.Address, a.User, a.Password, "", keep, func(c *client.Conn) error {
		c.SetTLSConfig(a.TLS)
		c.SetAttributes(map[string]string{"program_name": "lockstep"})
		c.ReadTimeout, c.WriteTimeout = silence, silence
		return nil
	})
	return &conn{c, raw}, err
}

// dump asks for everything behind p, as a replica would.
func (c *conn) dump(p *place, at gtids, serverID uint32) error {
	set := []string{
		"SET @master_binlog_checksum = 'NONE', @source_binlog_checksum = 'NONE'", // we can read events with a checksum
		fmt.Sprintf("SET @master_heartbeat_period = %d, @source_heartbeat_period = %[1]d", heartbeat.Nanoseconds()),
		fmt.Sprintf("SET SESSION net_write_timeout = %d", writeWait),
	}
	if p.Flavor == MariaDB {
		// Strict: a transaction that the server does not have is an error there, even where it has later ones. The
		// text was parsed and put together again by us.
		set = append(set, "SET @mariadb_slave_capability = 4", "SET @slave_connect_state = '"+at.String()+"'", "SET @slave_gtid_strict_mode = 1")
	}
	for _, statement := range set {
		if _, err := c.Execute(statement); err != nil {
			return fault(err, "asking for the binary log")
		}
	}
	c.ResetSequence()
	command := dumpFile(serverID, p.File, uint32(p.Offset))
	switch p.Flavor {
	case MariaDB:
		command = dumpFile(serverID, "", 4)
	case MySQL:
		command = dumpSet(serverID, at.set)
	}
	if err := c.WritePacket(command); err != nil {
		return fault(err, "asking for the binary log")
	}
	return nil
}

// dumpFile is COM_BINLOG_DUMP, behind four bytes for the packet's header.
func dumpFile(serverID uint32, file string, offset uint32) []byte {
	b := append(make([]byte, 4), mysql.COM_BINLOG_DUMP)
	b = binary.LittleEndian.AppendUint32(b, offset)
	b = binary.LittleEndian.AppendUint16(b, 0)
	b = binary.LittleEndian.AppendUint32(b, serverID)
	return append(b, file...)
}

// dumpSet is COM_BINLOG_DUMP_GTID. The flag says that the set is to be heeded.
func dumpSet(serverID uint32, set *mysql.MysqlGTIDSet) []byte {
	const throughGTID = 4
	text := set.Encode()
	b := append(make([]byte, 4), mysql.COM_BINLOG_DUMP_GTID)
	b = binary.LittleEndian.AppendUint16(b, throughGTID)
	b = binary.LittleEndian.AppendUint32(b, serverID)
	b = binary.LittleEndian.AppendUint32(b, 0) // no file name
	b = binary.LittleEndian.AppendUint64(b, 4)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(text)))
	return append(b, text...)
}

// next is the next event as the server sends it.
func (c *conn) next() ([]byte, error) {
	packet, err := c.ReadPacket()
	if err != nil {
		return nil, fault(err, "reading the binary log")
	}
	if len(packet) == 0 {
		return nil, lockstep.Faultf(lockstep.CodeNetwork, "the server sent an empty packet")
	}
	switch packet[0] {
	case mysql.OK_HEADER:
		return packet[1:], nil
	case mysql.ERR_HEADER:
		return nil, fault(c.HandleErrorPacket(packet), "reading the binary log")
	case mysql.EOF_HEADER:
		return nil, lockstep.Faultf(lockstep.CodeNetwork, "the server ended the binary log's connection")
	}
	return nil, lockstep.Faultf(lockstep.CodeNetwork, "the server sent a packet of an unknown kind")
}
