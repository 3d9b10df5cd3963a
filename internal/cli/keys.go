package cli

import (
	"bufio"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockstep-sync/lockstep"
)

func addKeys(c *cobra.Command, keys *[]string, what string) {
	c.Flags().StringArrayVar(keys, "keys", nil, what+": `KEYS` of the source, separated by commas; a composite key is a JSON array;\n@FILE (or @- for stdin) holds one key a line")
}

// readKeys makes keys of what stands behind --keys.
func (t *tool) readKeys(args []string) ([]lockstep.Key, error) {
	var keys []lockstep.Key
	for _, arg := range args {
		switch {
		case strings.HasPrefix(arg, "@"):
			more, err := t.keyFile(strings.TrimPrefix(arg, "@"))
			if err != nil {
				return nil, err
			}
			keys = append(keys, more...)
		case strings.HasPrefix(arg, "["):
			keys = append(keys, lockstep.Key(arg))
		default:
			for k := range strings.SplitSeq(arg, ",") {
				if k = strings.TrimSpace(k); k != "" {
					keys = append(keys, lockstep.Key(k))
				}
			}
		}
	}
	if len(args) > 0 && len(keys) == 0 {
		return nil, usagef("--keys names no key")
	}
	return keys, nil
}

// keyFile reads one key a line.
func (t *tool) keyFile(name string) ([]lockstep.Key, error) {
	in := t.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, lockstep.Faultf(lockstep.CodeFile, "the keys cannot be read: %w", err)
		}
		defer f.Close()
		in = f
	}
	var keys []lockstep.Key
	lines := bufio.NewScanner(io.LimitReader(in, 64<<20))
	for lines.Scan() {
		if k := strings.TrimRight(lines.Text(), "\r"); k != "" {
			keys = append(keys, lockstep.Key(k))
		}
	}
	if err := lines.Err(); err != nil {
		return nil, lockstep.Faultf(lockstep.CodeFile, "the keys cannot be read: %w", err)
	}
	return keys, nil
}
