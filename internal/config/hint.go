package config

import (
	"slices"
	"strings"
)

// didYouMean is a hint that names what comes nearest to word, else all there is where that is little.
func didYouMean(word string, names []string) string {
	if near := nearest(word, names); near != "" {
		return "did you mean `" + near + "`?"
	}
	if len(names) == 0 {
		return ""
	}
	sorted := slices.Clone(names)
	if len(sorted) > 20 {
		return ""
	}
	return "there is " + strings.Join(sorted, ", ")
}

// nearest is the name that is so near to word that it may be meant; "" for none.
func nearest(word string, names []string) string {
	best, bestAt := "", 1+max(1, len([]rune(word))/3)
	for _, name := range names {
		if d := distance(strings.ToLower(word), strings.ToLower(name)); d < bestAt {
			best, bestAt = name, d
		}
	}
	return best
}

// distance is Levenshtein's, with neighbours swapped counting as one; long words are cut.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	x, y = x[:min(len(x), 64)], y[:min(len(y), 64)]
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := range x {
		row[0] = i + 1
		for j := range y {
			change := last[j]
			if x[i] != y[j] {
				change++
			}
			row[j+1] = min(change, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && x[i] == y[j-1] && x[i-1] == y[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(y)]
}
