package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/lockstep-sync/lockstep"
)

// longestKey is the longest key that a notice may name.
const longestKey = 4096

// Keys reads the house's own notice: {"keys": ["1", 2, ["de", "3"]]}, a list in place of a text being a composite key.
// Beside it may stand "overflow" (Overflow), and "notice", any value by which a sender makes two notices of one second
// different. It is false for what is no JSON object of these members: another body, for its system to understand. The
// fault of one that is, and is not right, has CodeNotice. Each key comes once.
func Keys(body []byte) (keys []lockstep.Key, own bool, err error) {
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil || members["keys"] == nil {
		return nil, false, nil
	}
	for name := range members {
		if name != "keys" && name != "overflow" && name != "notice" {
			return nil, false, nil
		}
	}
	in := json.NewDecoder(bytes.NewReader(members["keys"]))
	in.UseNumber()
	var items []any
	if err := in.Decode(&items); err != nil || items == nil {
		return nil, true, lockstep.Faultf(lockstep.CodeNotice, "keys is not a list")
	}
	seen := make(map[lockstep.Key]bool, len(items))
	for i, item := range items {
		key, err := keyOf(item)
		if err != nil {
			return nil, true, lockstep.Faultf(lockstep.CodeNotice, "keys[%d] %w", i, err)
		}
		if !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	return keys, true, nil
}

// Overflow tells whether a notice says that its sender has lost others: {"overflow": true, ...}, whatever else it holds.
func Overflow(body []byte) bool {
	var notice struct {
		Overflow bool `json:"overflow"`
	}
	return json.Unmarshal(body, &notice) == nil && notice.Overflow
}

func keyOf(item any) (lockstep.Key, error) {
	parts := []any{item}
	if list, ok := item.([]any); ok {
		parts = list
	}
	texts, size := make([]string, len(parts)), 0
	for i, part := range parts {
		switch v := part.(type) {
		case string:
			texts[i] = v
		case json.Number:
			texts[i] = v.String()
			if strings.ContainsAny(texts[i], ".eE") {
				return "", errors.New("is not a whole number: write it as a text")
			}
		default:
			return "", errors.New("is neither a text, a whole number, nor a list of these")
		}
		size += len(texts[i])
	}
	switch {
	case size == 0:
		return "", errors.New("is empty")
	case size > longestKey:
		return "", fmt.Errorf("is longer than %d bytes", longestKey)
	}
	return lockstep.MakeKey(texts...), nil
}
