//go:build !unix

package file

import "os"

// lock does nothing where there are no advisory locks: one process at a time may write a folder.
func lock(*os.File) error { return nil }
