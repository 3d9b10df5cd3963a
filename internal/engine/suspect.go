package engine

import "github.com/lockstep-sync/lockstep"

// suspect tells whoever watches over schemas of a fault that a changed one may be behind.
func (e *Engine) suspect(f *Flow, fault *lockstep.Fault) {
	if e.opt.Suspect == nil || fault == nil {
		return
	}
	switch fault.Code {
	case lockstep.CodeNoField, lockstep.CodeNoStream, lockstep.CodeNoKey, lockstep.CodeValue, lockstep.CodeConstraint, lockstep.CodeCannot, lockstep.CodeUnclassified:
		e.opt.Suspect(f.Name)
	}
}
