package mysql_test

import (
	"context"
	"testing"
	"time"
)

// Guards that a delete of what was acknowledged looks up each key: the server would else read past rows that somebody
// holds, and wait for them.
func TestAckOfCompositeKeysNeverWaits(t *testing.T) {
	h := newHooked(t, byTrigger(), `CREATE TABLE items (a int, b varchar(9), v text, PRIMARY KEY (a, b))`)
	h.do(`INSERT INTO items VALUES (1, 'a', 'a'), (2, 'a', 'a'), (3, 'a', 'a'), (4, 'a', 'a'), (5, 'b', 'a'), (6, 'b', 'a')`)
	app := session(t, h.dsn)
	do(t, app, `BEGIN`, `UPDATE items SET v = 'b' WHERE a IN (2, 5)`)
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	p := h.page(h.at, 100)
	if err := h.s.Ack(ctx, h.r, p.Next); err != nil {
		t.Fatal(err)
	}
	do(t, app, `COMMIT`)
}
