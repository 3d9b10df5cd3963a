package kit

import (
	"net/http/httptest"
	"testing"
)

func TestGate(t *testing.T) {
	for _, c := range []struct {
		gate                Gate
		from, token, origin string
		want                int
	}{
		{Gate{}, "127.0.0.1:1", "", "", 0},
		{Gate{}, "192.0.2.1:1", "", "", 403},
		{Gate{Anywhere: true}, "192.0.2.1:1", "", "", 403},
		{Gate{Token: "t", Anywhere: true}, "192.0.2.1:1", "t", "", 0},
		{Gate{Token: "t"}, "192.0.2.1:1", "t", "", 403},
		{Gate{Token: "t"}, "127.0.0.1:1", "x", "", 401},
		{Gate{}, "127.0.0.1:1", "", "http://evil.example", 403},
	} {
		r := httptest.NewRequest("POST", "/", nil)
		r.RemoteAddr = c.from
		if c.token != "" {
			r.Header.Set("Authorization", "Bearer "+c.token)
		}
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		if got, _ := c.gate.Refuses(r); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

func TestDice(t *testing.T) {
	var d Dice[string]
	if d.Due("a") {
		t.Error("nothing is wrong, and yet")
	}
	d.Next("a", 2)
	for i, want := range []bool{true, true, false} {
		if d.Due("a") != want || d.Due("b") {
			t.Errorf("the next two: not so at %d", i)
		}
	}
	d.Share("b", 0.5)
	n := 0
	for range 1000 {
		if d.Due("b") {
			n++
		}
	}
	if n < 400 || n > 600 {
		t.Errorf("%d of 1000", n)
	}
}
