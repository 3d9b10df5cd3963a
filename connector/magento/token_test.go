package magento

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockstep-sync/lockstep"
	sandbox "github.com/lockstep-sync/lockstep/internal/sandbox/magento"
)

func jwt(iat, exp int64, n int64) string {
	part := base64.RawURLEncoding.EncodeToString
	return part([]byte(`{"alg":"HS256"}`)) + "." + part([]byte(fmt.Sprintf(`{"uid":1,"iat":%d,"exp":%d}`, iat, exp))) + "." + fmt.Sprint(n)
}

func TestATokenIsRenewedBeforeItEndsAndByOneAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logins := int64(0)
		s := newSession("u", "p", func(context.Context, string, string) (string, error) {
			time.Sleep(time.Second)
			n := atomic.AddInt64(&logins, 1)
			off := time.Now().Add(-7 * time.Hour).Unix() // the shop's clock is another than ours
			return jwt(off, off+3600, n), nil
		})
		use := func(refused string) string {
			got := make([]string, 20)
			var all sync.WaitGroup
			for i := range got {
				all.Go(func() {
					token, err := s.token(t.Context(), refused)
					if err != nil {
						t.Error(err)
					}
					got[i] = token
				})
				time.Sleep(time.Millisecond)
			}
			all.Wait()
			if slices.ContainsFunc(got, func(token string) bool { return token != got[0] }) {
				t.Error("not all have one token")
			}
			return got[0]
		}
		first := use("")
		time.Sleep(50 * time.Minute)
		if use("") != first || logins != 1 {
			t.Errorf("%d logins within a token's life", logins)
		}
		time.Sleep(9*time.Minute + 30*time.Second)
		if use("") == first || logins != 2 {
			t.Errorf("%d logins shortly before a token's end", logins)
		}
		second := use("")
		if use(second) == second || logins != 3 { // it was refused: all 20 get one new token
			t.Errorf("%d logins after a token was refused", logins)
		}
	})
}

// authShop is a stand-in that asks who we are.
func authShop(t *testing.T, o sandbox.Options) (*sandbox.Server, string) {
	t.Helper()
	shop, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(shop)
	t.Cleanup(func() {
		srv.Close()
		_ = shop.Close()
	})
	return shop, srv.URL
}

func integrationSettings(url string) lockstep.Settings {
	i := sandbox.DefaultIntegration()
	return lockstep.Settings{"url": url, "consumer_key": i.ConsumerKey, "consumer_secret": i.ConsumerSecret, "access_token": i.Token, "token_secret": i.TokenSecret}
}

func TestEachLoginIsTaken(t *testing.T) {
	_, url := authShop(t, sandbox.Options{Products: 3})
	_, open := authShop(t, sandbox.Options{Products: 3, Bearer: true})
	_, proxied := authShop(t, sandbox.Options{Products: 3, SigningURL: "https://shop.example.com"})
	admin := lockstep.Settings{"url": url, "username": sandbox.DefaultUser, "password": sandbox.DefaultPassword}
	behind := integrationSettings(proxied)
	behind["signing_url"] = "https://shop.example.com"
	for name, set := range map[string]lockstep.Settings{
		"oauth": integrationSettings(url), "admin": admin, "bearer": {"url": open, "token": sandbox.DefaultIntegration().Token}, "behind a proxy": behind,
	} {
		sys := openSystem(t, set)
		if got := readAll(t, sys, lockstep.Read{Stream: productsStream, Fields: []string{"name", "name_de"}}, lockstep.Limit{}); len(got) != 3 {
			t.Errorf("%s: %d records", name, len(got))
		}
		// More than ten filters: parameters are in natural order.
		keys := []lockstep.Key{"P-1", "a/b", "a b+c", "ä&?#='"}
		for i := range 14 {
			keys = append(keys, lockstep.Key(fmt.Sprintf("x,%d", i)))
		}
		if got, err := sys.Fetch(t.Context(), lockstep.Read{Stream: productsStream}, keys); err != nil || len(got) != 1 {
			t.Errorf("%s: fetched %d, %v", name, len(got), err)
		}
		if _, err := sys.client.do(t.Context(), call{name: "x", method: http.MethodGet, scope: allViews, path: "V1/products/" + escape(`a/b c+d%e'"é`)}); lockstep.KindOf(err) != lockstep.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestALoginThatIsRefusedSaysWhatToDo(t *testing.T) {
	_, url := authShop(t, sandbox.Options{})
	_, second := authShop(t, sandbox.Options{TwoFactor: true})
	wrong := integrationSettings(url)
	wrong["token_secret"] = strings.Repeat("x", 32)
	moved := integrationSettings(url)
	moved["signing_url"] = "https://elsewhere.example.com"
	for name, c := range map[string]struct {
		set  lockstep.Settings
		code lockstep.Code
		next string
	}{
		"bearer that is switched off": {lockstep.Settings{"url": url, "token": sandbox.DefaultIntegration().Token}, lockstep.CodeRights, "enable_integration_as_bearer"},
		"wrong password":              {lockstep.Settings{"url": url, "username": sandbox.DefaultUser, "password": "hush-hush"}, lockstep.CodeLogin, "`password`"},
		"two factors":                 {lockstep.Settings{"url": second, "username": sandbox.DefaultUser, "password": sandbox.DefaultPassword}, lockstep.CodeLogin, "integration"},
		"wrong secret":                {wrong, lockstep.CodeLogin, "signing_url"},
		"wrong signing URL":           {moved, lockstep.CodeLogin, "signing_url"},
	} {
		_, err := openSystem(t, c.set).Streams(t.Context())
		f := lockstep.FaultOf(err)
		if f == nil || f.Code != c.code || f.Kind != lockstep.Denied || !strings.Contains(f.Next, c.next) {
			t.Errorf("%s: %v, next %v", name, err, f)
		}
		if err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: a secret is shown: %v", name, err)
		}
	}
}

func TestATokenThatEndedIsFetchedAgainOnce(t *testing.T) {
	shop, url := authShop(t, sandbox.Options{Products: 1})
	var mu sync.Mutex
	logins, refuse := 0, false
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if strings.HasSuffix(r.URL.Path, "/admin/token") {
			logins++
			refuse = false
		} else if refuse {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"message":"The consumer isn't authorized to access %resources.","parameters":{"resources":"x"}}`))
			return
		}
		shop.ServeHTTP(w, r)
	}))
	defer front.Close()
	_ = url
	sys := openSystem(t, lockstep.Settings{"url": front.URL, "username": sandbox.DefaultUser, "password": sandbox.DefaultPassword})
	readAll(t, sys, lockstep.Read{Stream: productsStream}, lockstep.Limit{})
	mu.Lock()
	refuse = true
	mu.Unlock()
	readAll(t, sys, lockstep.Read{Stream: productsStream}, lockstep.Limit{})
	if logins != 2 {
		t.Errorf("%d logins", logins)
	}
}
