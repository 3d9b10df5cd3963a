package webhook

import (
	"fmt"
	"strings"
	"testing"

	"github.com/lockstep-sync/lockstep"
)

func TestKeysOfTheHousesOwnNotice(t *testing.T) {
	for body, want := range map[string]string{
		`{"keys":[]}`:                                  `[]`,
		`{"keys":["1","2","1"]}`:                       `[1 2]`,
		` {"keys" : [12, 9007199254740993]} `:          `[12 9007199254740993]`,
		`{"keys":["1"],"notice":"a5","overflow":true}`: `[1]`,
		`{"keys":[["de","3"],["x"],[1,"\u017e"]]}`:     `[["de","3"] x ["1","ž"]]`,
	} {
		keys, own, err := Keys([]byte(body))
		if got := fmt.Sprint(keys); got != want || !own || err != nil {
			t.Errorf("%s: %s %v %v", body, got, own, err)
		}
	}
	for _, body := range []string{``, `x`, `[]`, `null`, `{}`, `{"keys":["1"],"more":1}`, `{"events":[]}`} {
		if keys, own, err := Keys([]byte(body)); own || err != nil || keys != nil {
			t.Errorf("%s: %v %v %v", body, keys, own, err)
		}
	}
	for _, body := range []string{
		`{"keys":null}`, `{"keys":"1"}`, `{"keys":[""]}`, `{"keys":[[]]}`, `{"keys":[null]}`, `{"keys":[1.5]}`, `{"keys":[1e3]}`, `{"keys":[true]}`,
		`{"keys":[{"id":1}]}`, `{"keys":[["a",["b"]]]}`, `{"keys":["` + strings.Repeat("x", longestKey+1) + `"]}`,
	} {
		if keys, own, err := Keys([]byte(body)); !own || keys != nil || lockstep.FaultOf(err).Code != lockstep.CodeNotice {
			t.Errorf("%.40s: %v %v %v", body, keys, own, err)
		}
	}
}

func TestOverflow(t *testing.T) {
	for body, want := range map[string]bool{
		`{"source":"pimcore","events":[],"overflow":true}`: true, `{"keys":["1"],"overflow":true}`: true, `{"keys":["1"],"overflow":false}`: false,
		`{"keys":["1"]}`: false, `{"overflow":"true"}`: false, `[true]`: false, ``: false, `{"overflow":true`: false,
	} {
		if got := Overflow([]byte(body)); got != want {
			t.Errorf("%s: %v", body, got)
		}
	}
}

func FuzzKeys(f *testing.F) {
	f.Add(`{"keys":["1",2,["de","3"]]}`)
	f.Fuzz(func(t *testing.T, body string) {
		keys, own, err := Keys([]byte(body))
		if err != nil && (!own || lockstep.FaultOf(err).Code != lockstep.CodeNotice) {
			t.Fatal(own, err)
		}
		for _, key := range keys {
			if key == "" {
				t.Fatal("an empty key")
			}
		}
	})
}
