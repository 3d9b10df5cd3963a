package pimcore

import (
	"context"
	"fmt"

	"github.com/lockstep-sync/lockstep"
)

// remove deletes an object. Pimcore would take everything below it along, and nothing comes back from the recycle bin:
// an object that has something below it is not deleted unless the settings say so.
func (a *applier) remove(ctx context.Context, id string) error {
	if id == "" || !isID(id) {
		return nil
	}
	if !a.class.can.delete {
		f := lockstep.Faultf(lockstep.CodeCannot, "the endpoint's configuration does not let objects of class %s be deleted", a.class.name)
		f.Next = "Allow deletes in the DataHub configuration, or let the flow disable records instead: `on_delete: disable`."
		return f
	}
	if !a.class.conf.deleteBelow {
		there, below, err := a.below(ctx, id)
		if err != nil || !there {
			return err
		}
		if below {
			f := lockstep.Faultf(lockstep.CodeConstraint, "the object has others below it, which Pimcore would delete with it")
			f.Next = "Delete or move what is below it, or set `delete_children: true` for the class."
			return f
		}
	}
	m := &mutation{}
	fmt.Fprintf(&m.body, "m0:delete%s(id:%s){success message}", upper(a.class.name), m.arg("Int", mustInt(id)))
	d := m.document("delete")
	ans, err := a.sys.client.ask(ctx, d)
	if err != nil {
		return a.sys.checked(err)
	}
	if _, err = a.answer(ans, nil, d); err != nil && lockstep.FaultOf(err).Code != lockstep.CodeGone {
		return err
	}
	return nil
}

// below tells whether an object is there, and whether it has anything below it.
func (a *applier) below(ctx context.Context, id string) (there, below bool, err error) {
	root := "get" + upper(a.class.name)
	d := document{name: "what is below", query: "{" + root + "(id:" + id + `){id children(objectTypes:["object","variant","folder"]){__typename}}}`}
	ans, err := a.sys.client.post(ctx, d)
	if err != nil {
		return false, false, err
	}
	for _, e := range ans.errors {
		if e.isMissing() {
			return false, false, nil
		}
	}
	if len(ans.errors) > 0 {
		return false, false, a.sys.checked(graphFault(d, ans.errors))
	}
	c := &cursor{text: ans.data}
	err = c.members(func(member string) error {
		if member != root || c.space() != '{' {
			return c.skip()
		}
		there = true
		return c.members(func(name string) error {
			if name != "children" {
				return c.skip()
			}
			n, err := c.count()
			below = n > 0
			return err
		})
	})
	if err != nil || !there {
		return false, false, lockstep.Faultf(lockstep.CodeServer, "half an answer").On(lockstep.About{Request: d.name})
	}
	return there, below, nil
}
