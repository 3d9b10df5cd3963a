package file

import (
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/lockstep-sync/lockstep"
)

func about(file string) lockstep.About { return lockstep.About{Request: filepath.Base(file)} }

// fileFault classifies what the operating system or a decoder says of a file.
func fileFault(file string, err error) *lockstep.Fault {
	if f, ok := errors.AsType[*lockstep.Fault](err); ok {
		return f.On(about(file))
	}
	var syntax *syntaxError
	switch {
	case errors.As(err, &syntax):
		return lockstep.NewFault(lockstep.CodeFormat, err).On(about(file))
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, gzip.ErrChecksum), errors.Is(err, io.ErrUnexpectedEOF):
		return lockstep.Faultf(lockstep.CodeFormat, "the gzip file is damaged or cut short: %w", err).On(about(file))
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		f := lockstep.Faultf(lockstep.CodeFile, "the disk is full: %w", err).On(about(file))
		f.Kind, f.Next = lockstep.Unavailable, "Free space; lockstep goes on by itself and nothing is lost."
		return f
	case errors.Is(err, syscall.EIO), errors.Is(err, syscall.ESTALE):
		f := lockstep.NewFault(lockstep.CodeFile, err).On(about(file))
		f.Kind = lockstep.Unavailable
		return f
	case errors.Is(err, fs.ErrNotExist):
		return lockstep.Faultf(lockstep.CodeFile, "there is no such file").On(about(file))
	case errors.Is(err, fs.ErrPermission):
		return lockstep.Faultf(lockstep.CodeFile, "no right to open the file").On(about(file))
	}
	return lockstep.NewFault(lockstep.CodeFile, err).On(about(file))
}
