package kit

import (
	"math/rand/v2"
	"sync"
)

// Dice say what goes wrong: a share of all, or the next few. A run with the same requests in the same order can be
// repeated. The zero value lets nothing go wrong.
type Dice[K comparable] struct {
	mu    sync.Mutex
	rand  *rand.Rand
	share map[K]float64
	once  map[K]int
}

// Share lets a share (0 to 1) go wrong.
func (d *Dice[K]) Share(k K, share float64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.share == nil {
		d.share = map[K]float64{}
	}
	d.share[k] = share
}

// Next lets the next n go wrong.
func (d *Dice[K]) Next(k K, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.once == nil {
		d.once = map[K]int{}
	}
	d.once[k] = n
}

// Due tells whether one goes wrong now.
func (d *Dice[K]) Due(k K) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.once[k] > 0 {
		d.once[k]--
		return true
	}
	share := d.share[k]
	if share <= 0 {
		return false
	}
	if d.rand == nil {
		d.rand = rand.New(rand.NewPCG(1, 2))
	}
	return d.rand.Float64() < share
}
