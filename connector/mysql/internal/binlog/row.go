package binlog

// row is one change of a row: what it was, what it is, or both. The cells are those of the columns asked for.
type row struct {
	op            rowOp
	before, after []Cell
}

// rows reads the rows of an event one by one.
type rows struct {
	item   item
	layout *layout
	r      reader
	all    []Cell    // of the row that is being read: used again
	cells  [2][]Cell // before and after, used again
}

func (x *rows) more() bool { return len(x.r.b) > 0 }

// next is the next row; blank passes over it. Its cells are valid until the one after it.
func (x *rows) next(blank bool) (row, error) {
	out, left := row{op: x.item.op}, len(x.r.b)
	var err error
	switch x.item.op {
	case insertRow:
		out.after, err = x.image(1, x.item.head.present, false, blank)
	case deleteRow:
		out.before, err = x.image(0, x.item.head.present, false, blank)
	default:
		if out.before, err = x.image(0, x.item.head.present, false, blank); err == nil {
			out.after, err = x.image(1, x.item.head.after, x.item.op == partialRow, blank)
		}
		out.op = updateRow
		for i := range out.after { // what an update leaves out stayed as it was
			if out.after[i].Kind == Unknown && !x.has(x.item.head.after, i) {
				out.after[i] = out.before[i]
			}
		}
	}
	if err == nil && len(x.r.b) == left { // it would have no end
		err = errEvent
	}
	return out, err
}

// has tells whether the rows have the ith of the columns asked for.
func (x *rows) has(present []byte, i int) bool {
	at := x.layout.at[i]
	return at >= 0 && bit(present, at)
}

func bit(bits []byte, i int) bool { return bits[i>>3]&(1<<(i&7)) != 0 }

// image reads one row: which of its values are null, then the others.
func (x *rows) image(which int, present []byte, partial, blank bool) ([]Cell, error) {
	n := 0
	for i := range x.layout.columns {
		if bit(present, i) {
			n++
		}
	}
	if partial && x.r.packed()&1 != 0 { // which JSON values are differences; we look at none
		x.r.skip((x.layout.json + 7) / 8)
	}
	nulls := x.r.take((n + 7) / 8)
	if x.r.err != nil {
		return nil, x.r.err
	}
	if len(x.all) < len(x.layout.columns) {
		x.all = make([]Cell, len(x.layout.columns))
	}
	all := x.all
	n = 0
	for i := range x.layout.columns {
		if !bit(present, i) {
			all[i] = Cell{}
			continue
		}
		null := bit(nulls, n)
		n++
		switch {
		case null && !blank:
			all[i] = Cell{Kind: Null}
		case null:
		case blank:
			c := x.layout.columns[i]
			c.certain = false
			c.read(&x.r)
		default:
			all[i] = x.layout.columns[i].read(&x.r)
		}
	}
	if blank || x.r.err != nil {
		return nil, x.r.err
	}
	if len(x.cells[which]) != len(x.layout.at) {
		x.cells[which] = make([]Cell, len(x.layout.at))
	}
	cells := x.cells[which]
	for i, at := range x.layout.at {
		cells[i] = Cell{}
		if at >= 0 {
			cells[i] = all[at]
		}
	}
	return cells, nil
}
