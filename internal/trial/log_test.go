package trial

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-sync/lockstep/internal/app"
	"github.com/lockstep-sync/lockstep/internal/testkit"
)

// Chinook from PostgreSQL to PostgreSQL through its log: a full sync, then 1,000 random edits (insert, update, delete,
// key change; some rolled back, some many in a transaction) while the house runs, and as many rows as Chinook has in
// one transaction. In the end both sides are equal by PostgreSQL's own comparison.
func TestChinookThroughTheLog(t *testing.T) {
	p := newPlace(t)
	from, to := testkit.Postgres(t), testkit.Postgres(t)
	psql(t, from, chinookScript(t))
	src, dst := openDB(t, "pgx", from+"&default_query_exec_mode=simple_protocol"), openDB(t, "pgx", to)
	// Keys change below: what refers to them follows by cascades, which the log sees as any other write.
	exe(t, src, `DO $$ DECLARE c record; BEGIN
		FOR c IN SELECT conname, conrelid::regclass AS r, pg_get_constraintdef(oid) AS d FROM pg_constraint WHERE contype = 'f' LOOP
			EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.r, c.conname);
			EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I %s', c.r, c.conname, replace(replace(c.d, ' ON DELETE NO ACTION', ''), ' ON UPDATE NO ACTION', '') || ' ON UPDATE CASCADE ON DELETE CASCADE');
		END LOOP; END $$`)
	cfg := fmt.Sprintf("systems:\n  a: {type: postgres, dsn: %q}\n  b: {type: postgres, dsn: %q}\nflows:\n", from, to)
	for _, c := range chinook {
		cfg += fmt.Sprintf("  %s:\n    from: {system: a, stream: %s, track: {by: log, every: 200ms}}\n    to: {system: b, stream: %s, create: true}\n", c.pg, c.pg, c.pg)
	}
	h := p.house(cfg)
	for _, e := range ask(t, h, app.Request{Do: app.DoTrack, Track: app.TrackInstall}) {
		if e.Fault != nil || e.Track == nil || e.Track.State != "installed" {
			t.Fatalf("track install: %+v", e)
		}
	}
	do(t, h, app.Request{Do: app.DoSync})
	level(t, h)

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	rng := rand.New(rand.NewPCG(7, 11))
	for i := range 1000 {
		exe(t, src, logEdit(rng, i))
	}
	exe(t, src, `UPDATE track SET milliseconds = milliseconds + 1`)
	names := []string{}
	for _, c := range chinook {
		names = append(names, c.pg)
	}
	table := func(name string) (string, string) {
		cols := strings.Join(columns(t, src, name), ", ")
		return cols, "SELECT " + cols + " FROM " + name + " ORDER BY " + cols
	}
	deadline := time.Now().Add(2 * time.Minute)
	for {
		late := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
			_, query := table(name)
			return slices.Equal(rows(t, src, query), rows(t, dst, query))
		})
		if len(late) == 0 {
			break
		}
		if time.Now().After(deadline) {
			for _, name := range late {
				_, query := table(name)
				sameRows(t, name, rows(t, dst, query), rows(t, src, query))
			}
			t.Fatalf("not level: %v", late)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// logEdit is the i-th edit.
func logEdit(rng *rand.Rand, i int) string {
	id := rng.IntN(300) + 1
	var sql string
	switch rng.IntN(10) {
	case 0:
		sql = fmt.Sprintf(`INSERT INTO artist VALUES (%d, 'Artist %d')`, 10000+i, i)
	case 1:
		sql = fmt.Sprintf(`INSERT INTO playlist_track SELECT %d, track_id FROM track ORDER BY (track_id * %d) %% 1009, track_id LIMIT 3 ON CONFLICT DO NOTHING`, rng.IntN(17)+1, i+1)
	case 2:
		sql = fmt.Sprintf(`DELETE FROM invoice_line WHERE invoice_line_id = %d`, id)
	case 3:
		sql = fmt.Sprintf(`UPDATE album SET album_id = %d WHERE album_id = %d`, 20000+i, id) // and its tracks, by a cascade
	case 4:
		sql = fmt.Sprintf(`DELETE FROM playlist_track WHERE track_id %% 701 = %d`, id)
	case 5:
		sql = fmt.Sprintf(`UPDATE playlist_track SET playlist_id = %d WHERE playlist_id = 1 AND track_id = %d AND NOT EXISTS (SELECT FROM playlist_track WHERE playlist_id = %d AND track_id = %d)`, 2+id%3, id, 2+id%3, id)
	case 6:
		sql = fmt.Sprintf(`BEGIN; UPDATE customer SET company = 'never' WHERE customer_id = %d; ROLLBACK`, id%59+1)
	case 7:
		sql = fmt.Sprintf(`BEGIN; UPDATE customer SET phone = '%d' WHERE customer_id = %d; SAVEPOINT s; DELETE FROM invoice; ROLLBACK TO s; UPDATE invoice SET total = total + 1 WHERE customer_id = %d; COMMIT`, i, id%59+1, id%59+1)
	default:
		sql = fmt.Sprintf(`UPDATE track SET name = 'Track %d', unit_price = unit_price + 0.01 WHERE track_id = %d`, i, id)
	}
	return sql
}
