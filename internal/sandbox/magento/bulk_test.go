package magento

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// submit hands in a bulk of products and answers its uuid.
func (s *stall) submit(method, path, body string) string {
	s.t.Helper()
	status, _, answer, err := s.send(method, path, body)
	var got struct {
		UUID string `json:"bulk_uuid"`
	}
	if err != nil || status != 202 || json.Unmarshal([]byte(answer), &got) != nil {
		s.t.Fatalf("%d %s %v", status, answer, err)
	}
	return got.UUID
}

// statuses are those of a bulk's operations, with their messages.
func (s *stall) statuses(uuid string) string {
	s.t.Helper()
	_, _, answer, err := s.send("GET", "/rest/V1/bulk/"+uuid+"/status", "")
	var got struct {
		List []struct{ Status int } `json:"operations_list"`
	}
	if err != nil || json.Unmarshal([]byte(answer), &got) != nil {
		s.t.Fatal(answer, err)
	}
	var b strings.Builder
	for _, o := range got.List {
		fmt.Fprint(&b, o.Status)
	}
	return b.String()
}

func items(from, to int) string {
	var list []string
	for i := from; i <= to; i++ {
		list = append(list, fmt.Sprintf(`{"product":{"sku":"B-%d","name":"B %d","attribute_set_id":4,"price":1,"weight":1}}`, i, i))
	}
	return "[" + strings.Join(list, ",") + "]"
}

// A body that kills PHP kills the consumer: its operation stays open, and all behind it wait for another consumer.
func TestAConsumerDies(t *testing.T) {
	now := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	s := newStall(t, Options{Products: 2, Consumers: 1, Clock: func() time.Time { return now }})
	poison := s.submit("PUT", "/rest/all/async/bulk/V1/products/bySku",
		`[{"sku":"P-1","product":{"sku":"P-1","price":77}},{"sku":"P-2","product":{"price":78}},{"sku":"P-1","product":{"sku":"P-1","price":79}}]`)
	s.Drain()
	if got := s.statuses(poison); got != "144" || s.Consumers() != 0 {
		t.Fatalf("%s, %d consumers", got, s.Consumers())
	}
	s.StartConsumers(1)
	s.Drain()
	if got := s.statuses(poison); got != "141" {
		t.Errorf("%s after a restart", got)
	}
	now = now.Add(13 * time.Hour)
	if got := s.statuses(poison); got != "121" {
		t.Errorf("%s half a day later", got)
	}
}

// Where a cron job looks after consumers, what is behind a poisoned body waits only so long.
func TestAConsumerIsRestarted(t *testing.T) {
	s := newStall(t, Options{Products: 2, Consumers: 1, ConsumerRestart: time.Millisecond})
	uuid := s.submit("PUT", "/rest/all/async/bulk/V1/products/bySku", `[{"sku":"P-2","product":{"price":78}},{"sku":"P-1","product":{"sku":"P-1","price":79}}]`)
	s.Drain()
	s.background.Wait()
	s.Drain()
	if got := s.statuses(uuid); got != "41" {
		t.Error(got)
	}
}

// A killed consumer has done its work and not said so: with a broker it is done again.
func TestAKilledConsumer(t *testing.T) {
	s := newStall(t, Options{Broker: true})
	s.KillConsumers(1)
	uuid := s.submit("POST", "/rest/all/async/bulk/V1/products", items(1, 2))
	s.StartConsumers(1)
	s.Drain()
	if got := s.statuses(uuid); got != "44" || !s.Has("B-1") {
		t.Fatalf("%s, done: %v", got, s.Has("B-1"))
	}
	s.StartConsumers(1)
	s.Drain()
	if got := s.statuses(uuid); got != "11" {
		t.Errorf("%s after a restart", got)
	}
}

func TestConsumersOutOfOrder(t *testing.T) {
	s := newStall(t, Options{Shuffle: true})
	s.submit("POST", "/rest/all/async/bulk/V1/products", items(1, 20))
	s.StartConsumers(3)
	s.Drain()
	skus := s.SKUs()
	if len(skus) != 20 {
		t.Fatalf("%d products", len(skus))
	}
	inOrder := true
	for i, sku := range skus {
		inOrder = inOrder && sku == fmt.Sprintf("B-%d", i+1)
	}
	if inOrder {
		t.Error("20 operations came in their order")
	}
}

func TestOperationsThatLie(t *testing.T) {
	for _, c := range []struct {
		fault Fault
		want  string
		done  bool
	}{{FaultOpDead, "3", false}, {FaultOpRetry, "2", false}, {FaultOpLies, "3", true}, {FaultOpNothing, "1", false}, {FaultOpTwice, "1", true}, {FaultOpKill, "4", true}} {
		s := newStall(t, Options{Consumers: 1})
		s.FailNext(c.fault, 1)
		uuid := s.submit("POST", "/rest/all/async/V1/products", aProduct)
		s.Drain()
		if got := s.statuses(uuid); got != c.want || s.Has("F-1") != c.done {
			t.Errorf("%s: %s, done: %v", c.fault, got, s.Has("F-1"))
		}
	}
}

func BenchmarkBulk(b *testing.B) {
	s, err := New(Options{Open: true})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	s.StartConsumers(2)
	body := items(1, 200)
	for b.Loop() {
		r := httptest.NewRequest("POST", "/rest/all/async/bulk/V1/products", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != 202 {
			b.Fatal(w.Code, w.Body)
		}
		s.Drain()
	}
}
