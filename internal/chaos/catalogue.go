package chaos

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

var catalogueSchema = []string{
	`CREATE TABLE categories (id {int} PRIMARY KEY, parent {int}, name {text} NOT NULL, updated_at {time} NOT NULL)`,
	productSchema("products"), productSchema("bulk"),
}

func productSchema(table string) string {
	return `CREATE TABLE ` + table + ` (id {int} PRIMARY KEY, sku {key} NOT NULL, kind {text} NOT NULL, name {text} NOT NULL, name_de {text},
		description {text} NOT NULL, price {price} NOT NULL, color {text}, size {text}, categories {text} NOT NULL, children {text} NOT NULL,
		related {text} NOT NULL, images {text} NOT NULL, updated_at {time} NOT NULL)`
}

// tableFor is the table of a product: its group's, for products link to others of their table alone.
func tableFor(id int) string { return []string{"products", "bulk"}[(id-1)/6%2] }

// firstGroups is how many configurables there are at first, each with three products of its own and two plain ones.
const firstGroups = 12

// catalogue is the source of a shop, and the one that edits it.
type catalogue struct {
	*place
	rng              *rand.Rand
	conn             *sql.Conn
	at               string // when the transaction began
	nextID, revision int
	cats             int
	edits            int
}

func (c *catalogue) make(ctx context.Context) (err error) {
	if err := c.exec(ctx, catalogueSchema...); err != nil {
		return err
	}
	if c.conn, err = c.db.Conn(ctx); err != nil {
		return err
	}
	return c.transaction(ctx, func() error {
		for range 9 {
			if err := c.newCategory(ctx); err != nil {
				return err
			}
		}
		for range firstGroups {
			if err := c.newGroup(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *catalogue) transaction(ctx context.Context, work func() error) error {
	if _, err := c.conn.ExecContext(ctx, c.begin); err != nil {
		return err
	}
	how := "COMMIT"
	err := c.conn.QueryRowContext(ctx, c.now).Scan(&c.at)
	if err == nil {
		err = work()
	}
	if err != nil {
		how = "ROLLBACK"
	}
	_, ended := c.conn.ExecContext(context.WithoutCancel(ctx), how)
	return errors.Join(err, ended)
}

func (c *catalogue) do(ctx context.Context, statement string, args ...any) error {
	_, err := c.conn.ExecContext(ctx, c.marked(strings.ReplaceAll(statement, "{now}", "'"+c.at+"'")), args...)
	return err
}

// rev is a number that was not there before: what is written is never what was.
func (c *catalogue) rev() int { c.revision++; return c.revision }

func (c *catalogue) newCategory(ctx context.Context) error {
	c.cats++
	var parent any
	if c.cats > 3 {
		parent = 1 + c.rng.IntN(3)
	}
	return c.do(ctx, "INSERT INTO categories VALUES (?, ?, ?, {now})", c.cats, parent, fmt.Sprintf("Category %d r%d", c.cats, c.rev()))
}

// newGroup adds a configurable, its children and two plain products, in this order or another, all of one route.
func (c *catalogue) newGroup(ctx context.Context) error {
	first := c.nextID + 1
	c.nextID += 6
	for i := range 6 {
		id, kind, color, size, children := first+i, "simple", any(nil), any(nil), ""
		switch {
		case i == 0:
			kind, children = "configurable", fmt.Sprintf("%d,%d,%d", first+1, first+2, first+3)
		case i < 4:
			color, size = fmt.Sprintf("Colour %d", first), []string{"S", "M", "L"}[i-1]
		}
		if err := c.do(ctx, "INSERT INTO "+tableFor(id)+" VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, {now})", id, fmt.Sprintf("P-%d", id), kind,
			fmt.Sprintf("Product %d", id), nil, fmt.Sprintf("About %d", c.rev()), c.price(), color, size, c.someCategories(), children,
			fmt.Sprint(first+(i+1)%6), c.pictures(2)); err != nil {
			return err
		}
	}
	return nil
}

func (c *catalogue) price() string { return fmt.Sprintf("%d.%02d", 1+c.rng.IntN(999), c.rng.IntN(100)) }

func (c *catalogue) someCategories() string {
	return fmt.Sprintf("%d,%d", 1+c.rng.IntN(3), 4+c.rng.IntN(c.cats-3))
}

func (c *catalogue) pictures(most int) string {
	var all []string
	for range c.rng.IntN(most + 1) {
		all = append(all, fmt.Sprintf("picture%06d", c.rev()))
	}
	return strings.Join(all, ",")
}

// start edits until the function it gives is called.
func (c *catalogue) start(ctx context.Context) (stop func() error) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		for pause(ctx, time.Duration(15+c.rng.IntN(60))*time.Millisecond) == nil {
			// Begun is ended: what is cut off in a statement would not be the source's fault.
			whole := context.WithoutCancel(ctx)
			if err := c.transaction(whole, func() error { return c.edit(whole) }); err != nil && !c.passing(err) {
				ended <- fmt.Errorf("the editor ended: %w", err)
				return
			}
			c.edits++
		}
		ended <- nil
	}()
	return func() error { cancel(); return <-ended }
}

// edit changes one thing.
func (c *catalogue) edit(ctx context.Context) error {
	id := 1 + c.rng.IntN(c.nextID)
	set := func(what string, args ...any) error {
		return c.do(ctx, "UPDATE "+tableFor(id)+" SET "+what+", updated_at = {now} WHERE id = ?", append(args, id)...)
	}
	switch p := c.rng.IntN(100); {
	case p < 20:
		return set("description = ?", fmt.Sprintf("About %d", c.rev()))
	case p < 32:
		return set("price = ?, name = ?", c.price(), fmt.Sprintf("Product %d r%d", id, c.rev()))
	case p < 42:
		return set("name_de = ?", []any{nil, fmt.Sprintf("Ware %d", c.rev())}[c.rng.IntN(2)])
	case p < 54:
		return set("images = ?", c.pictures(3))
	case p < 64:
		return set("categories = ?", c.someCategories())
	case p < 72: // plain ones alone: two children of a configurable with the same would be refused
		return c.do(ctx, "UPDATE "+tableFor(id)+" SET color = ?, updated_at = {now} WHERE id = ? AND size IS NULL AND kind = 'simple'", fmt.Sprintf("New %d", c.rng.IntN(60)), id)
	case p < 78:
		group := (id - 1) / 6 * 6
		return set("related = ?", []string{"", fmt.Sprint(group + 5), fmt.Sprintf("%d,%d", group+2, group+1), fmt.Sprintf("%d,%d", group+3, group+5)}[c.rng.IntN(4)])
	case p < 83:
		group := (id - 1) / 6 * 6
		id = group + 1
		return set("children = ?", []string{fmt.Sprintf("%d,%d", group+2, group+4), fmt.Sprintf("%d,%d,%d", group+2, group+3, group+4)}[c.rng.IntN(2)])
	case p < 87:
		return c.flip(ctx, (id-1)/6*6+6)
	case p < 91:
		return c.do(ctx, "UPDATE categories SET name = ?, updated_at = {now} WHERE id = ?", fmt.Sprintf("Category r%d", c.rev()), 1+c.rng.IntN(c.cats))
	case p < 94:
		return c.do(ctx, "UPDATE categories SET parent = ?, updated_at = {now} WHERE id = ?", 1+c.rng.IntN(3), 4+c.rng.IntN(c.cats-3))
	case p < 97:
		return c.newCategory(ctx)
	}
	return c.newGroup(ctx)
}

// flip takes the last product of a group away, with what is related to it, or brings it back.
func (c *catalogue) flip(ctx context.Context, id int) error {
	var n int
	if err := c.conn.QueryRowContext(ctx, c.marked("SELECT count(*) FROM "+tableFor(id)+" WHERE id = ?"), id).Scan(&n); err != nil {
		return err
	}
	if n == 0 {
		return c.do(ctx, "INSERT INTO "+tableFor(id)+" VALUES (?, ?, 'simple', ?, NULL, 'again', '5', NULL, NULL, ?, '', '', ?, {now})", id, fmt.Sprintf("P-%d", id),
			fmt.Sprintf("Product %d r%d", id, c.rev()), c.someCategories(), c.pictures(2))
	}
	return errors.Join(c.do(ctx, "UPDATE "+tableFor(id)+" SET related = '', updated_at = {now} WHERE related = ?", fmt.Sprint(id)),
		c.do(ctx, "DELETE FROM "+tableFor(id)+" WHERE id = ?", id))
}

// readCatalogue is what the shop is to hold, in the form of shop.read.
func readCatalogue(ctx context.Context, p *place) (map[string]string, error) {
	out, paths, err := readCategories(ctx, p)
	if err != nil {
		return nil, err
	}
	return out, errors.Join(readProducts(ctx, p, "products", paths, out), readProducts(ctx, p, "bulk", paths, out))
}

func readProducts(ctx context.Context, p *place, table string, paths, out map[string]string) error {
	rows, err := p.db.QueryContext(ctx, "SELECT id, sku, kind, name, COALESCE(name_de, name), description, CAST(price AS "+p.types["text"]+
		"), COALESCE(color, ''), COALESCE(size, ''), categories, children, related, images FROM "+table)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int
		var f [12]string
		if err := rows.Scan(&id, &f[0], &f[1], &f[2], &f[3], &f[4], &f[5], &f[6], &f[7], &f[8], &f[9], &f[10], &f[11]); err != nil {
			return err
		}
		cats, children, related, images := parts(f[8]), parts(f[9]), parts(f[10]), parts(f[11])
		for i := range cats {
			cats[i] = paths[cats[i]]
		}
		for i := range children {
			children[i] = "P-" + children[i]
		}
		for i := range related {
			related[i] = "P-" + related[i]
		}
		if len(images) > 0 {
			images[0] += "image+small_image+thumbnail"
		}
		if f[1] == "configurable" {
			f[5] = ""
		}
		out["products "+f[0]] = line(f[1], f[2], f[3], f[4], f[5], f[6], f[7], cats, children, related, images)
	}
	return rows.Err()
}

func parts(list string) []string {
	return slices.DeleteFunc(strings.Split(list, ","), func(s string) bool { return s == "" })
}

// readCategories gives what the shop is to hold of categories, and their paths by id.
func readCategories(ctx context.Context, p *place) (out, paths map[string]string, err error) {
	rows, err := p.db.QueryContext(ctx, "SELECT id, COALESCE(parent, 0), name FROM categories ORDER BY id") // above comes first
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	out, paths = map[string]string{}, map[string]string{}
	for rows.Next() {
		var id, parent int
		var name string
		if err := rows.Scan(&id, &parent, &name); err != nil {
			return nil, nil, err
		}
		at := path.Join(paths[strconv.Itoa(parent)], name)
		paths[strconv.Itoa(id)], out["categories "+at] = at, "true"
	}
	return out, paths, rows.Err()
}
