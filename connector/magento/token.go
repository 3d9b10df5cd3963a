package magento

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"sync"
	"time"
)

// session is an admin user's token: fetched when it is first needed, and again before it ends. There is one login at a
// time, however many wait for it: a wrong password must not be sent so often that the account is locked.
type session struct {
	username, password string
	login              func(ctx context.Context, username, password string) (string, error)

	turn chan struct{} // holds one: whoever takes it may log in
	mu   sync.Mutex
	held string
	ends time.Time
}

func newSession(username, password string, login func(ctx context.Context, username, password string) (string, error)) *session {
	return &session{username: username, password: password, login: login, turn: make(chan struct{}, 1)}
}

const (
	early       = time.Minute // by so much a token is renewed before it ends
	shortestUse = 10 * time.Second
	unknownLife = 30 * time.Minute // of a token that does not say when it ends
)

// token is one that is good now. refused is one that the shop did not take, "" for none.
func (s *session) token(ctx context.Context, refused string) (string, error) {
	if t := s.good(refused); t != "" {
		return t, nil
	}
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	defer func() { <-s.turn }()
	if t := s.good(refused); t != "" { // another one has logged in meanwhile
		return t, nil
	}
	began := time.Now()
	t, err := s.login(ctx, s.username, s.password)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held, s.ends = t, goodUntil(t, began)
	return t, nil
}

func (s *session) good(refused string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held == refused || !time.Now().Before(s.ends) {
		return ""
	}
	return s.held
}

// goodUntil is when to renew a token, by its own word: the setting in Magento has several names and defaults. Only the
// length of its life counts, for the shop's clock may be another than ours.
func goodUntil(token string, now time.Time) time.Time {
	life := unknownLife
	if parts := strings.Split(token, "."); len(parts) == 3 {
		var claims struct {
			Exp float64 `json:"exp"`
			Iat float64 `json:"iat"`
		}
		body, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
		if err == nil && json.Unmarshal(body, &claims) == nil && claims.Exp > 0 {
			from := float64(now.Unix())
			if claims.Iat > 0 {
				from = claims.Iat
			}
			life = time.Duration(min(max(claims.Exp-from, 0), 1e8)) * time.Second
		}
	}
	return now.Add(max(life-min(early, life/4), shortestUse))
}
