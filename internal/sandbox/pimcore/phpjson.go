package pimcore

import (
	"strconv"

	"github.com/lockstep-sync/lockstep/internal/sandbox/kit"
)

func phpFloat(b []byte, f float64) []byte {
	if f >= 1e15 || f <= -1e15 {
		return strconv.AppendFloat(b, f, 'e', -1, 64)
	}
	return strconv.AppendFloat(b, f, 'f', -1, 64)
}

// phpString appends a text as Symfony's JsonResponse has PHP write it.
func phpString(b []byte, s string) []byte { return kit.AppendPHPText(b, s, true) }
