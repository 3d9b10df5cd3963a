package binlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"github.com/go-mysql-org/go-mysql/replication"
	"github.com/klauspost/compress/zstd"
)

// The fields in front of a compressed transaction of MySQL, and how it may be compressed.
const (
	payloadEnd        = 0
	payloadKind       = 2
	payloadZstd       = 0
	payloadNone       = 255
	maxPayloadWindow  = 128 << 20
	payloadSizeOffset = 9 // of an event's size in its header
)

// payload takes the events out of a transaction that MySQL compressed as a whole (binlog_transaction_compression), one
// after the other.
func (f *follower) payload(_ header, body []byte) error {
	r := reader{b: body}
	compression := uint64(payloadNone)
	for r.err == nil {
		field := r.packed()
		if field == payloadEnd {
			break
		}
		value := reader{b: r.take(int(r.packed()))}
		if field == payloadKind {
			compression = value.packed()
		}
	}
	if r.err != nil {
		return unreadable(errEvent)
	}
	var events io.Reader = bytes.NewReader(r.b)
	switch compression {
	case payloadNone:
	case payloadZstd:
		z, err := zstd.NewReader(events, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxPayloadWindow))
		if err != nil {
			return unreadable(errEvent)
		}
		defer z.Close()
		events = z
	default:
		return unreadable(errEvent)
	}
	return f.unpack(events)
}

func (f *follower) unpack(events io.Reader) error {
	for {
		head := make([]byte, headerSize)
		if _, err := io.ReadFull(events, head); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return unreadable(errEvent)
		}
		size := binary.LittleEndian.Uint32(head[payloadSizeOffset:])
		if size < headerSize || size > maxEvent {
			return unreadable(errEvent)
		}
		var event bytes.Buffer // it grows with what comes, not with what a size says
		event.Write(head)
		if _, err := io.CopyN(&event, events, int64(size)-headerSize); err != nil {
			return unreadable(errEvent)
		}
		b := event.Bytes()
		if f.sums { // those within have no checksum; all others of this log have one
			b = append(b, make([]byte, replication.BinlogChecksumLength)...)
			binary.LittleEndian.PutUint32(b[payloadSizeOffset:], size+replication.BinlogChecksumLength)
		}
		if err := f.event(b); err != nil {
			return err
		}
	}
}
