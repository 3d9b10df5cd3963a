package magento

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What a stand-in takes that was given no credentials.
const (
	DefaultUser     = "admin"
	DefaultPassword = "sandbox-password-1"
)

// DefaultIntegration is the integration of a stand-in that was given none.
func DefaultIntegration() Integration {
	return Integration{
		ConsumerKey: "sandboxconsumerkey00000000000001", ConsumerSecret: "sandboxconsumersecret00000000001",
		Token: "sandboxaccesstoken00000000000001", TokenSecret: "sandboxaccesstokensecret00000001",
	}
}

// An account is locked for half an hour after six failures.
const (
	maxFailures = 6
	lockTime    = 1800 * time.Second
)

// The types of users, as bulks name them.
const (
	integrationUser = 1
	adminUser       = 2
	guestUser       = 4
)

// access is who may do what.
type access struct {
	oauth verifier

	mu       sync.Mutex
	failures int
	locked   time.Time
	key      []byte // signs admin tokens
}

// caller is who sent a request.
type caller struct {
	user      int
	resources []string // nil: all of an integration or admin
}

func (c caller) may(resource string) bool {
	if resource == "" {
		return true
	}
	return c.user != guestUser && (len(c.resources) == 0 || slices.Contains(c.resources, resource))
}

// Integration is what the stand-in takes as its integration.
func (s *Server) Integration() Integration { return s.access.oauth.integration }

// who finds out who sent a request. An unknown token is nobody's, which is no fault by itself; a bad signature is.
func (s *Server) who(r *http.Request) (caller, error) {
	h := r.Header.Get("Authorization")
	o := s.conf()
	all := s.Integration().Resources
	if strings.HasPrefix(h, "OAuth ") {
		if no := s.access.oauth.verify(r, o.Clock()); no != nil {
			return caller{}, &fault{status: no.status, message: no.message, params: no.parameters}
		}
		return caller{integrationUser, all}, nil
	}
	token, ok := strings.CutPrefix(h, "Bearer ")
	switch {
	case !ok:
	case o.Bearer && subtle.ConstantTimeCompare([]byte(token), []byte(s.Integration().Token)) == 1:
		return caller{integrationUser, all}, nil
	case s.access.valid(token, o.Clock()):
		return caller{user: adminUser}, nil
	}
	return caller{user: guestUser}, nil
}

func unauthorized(resource string) *fault {
	return failNamed(http.StatusUnauthorized, "The consumer isn't authorized to access %resources.", "resources", resource)
}

func (s *Server) authRoutes() []route {
	return []route{
		{method: http.MethodPost, path: "/V1/integration/admin/token", params: []param{req("username", text()), req("password", text())}, run: s.login},
		{method: http.MethodGet, path: "/V1/modules", resource: "Magento_Backend::admin", run: listModules},
	}
}

// login gives a token for a user and password.
func (s *Server) login(c *call) (any, error) {
	o := s.conf()
	now := o.Clock()
	s.access.mu.Lock()
	defer s.access.mu.Unlock()
	if s.access.failures >= maxFailures && now.Sub(s.access.locked) > lockTime {
		s.access.failures = 0
	}
	right := subtle.ConstantTimeCompare([]byte(c.in.text("username")), []byte(o.User)) == 1 &&
		subtle.ConstantTimeCompare([]byte(c.in.text("password")), []byte(o.Password)) == 1
	if !right || s.access.failures >= maxFailures {
		if s.access.failures < maxFailures {
			s.access.failures++
			s.access.locked = now
		}
		return nil, fail(http.StatusUnauthorized, "The account sign-in was incorrect or your account is disabled temporarily. Please wait and try again later.")
	}
	s.access.failures = 0
	if o.TwoFactor {
		return nil, fail(http.StatusBadRequest, "Please ask an administrator with sufficient access to configure 2FA first")
	}
	return s.access.token(now, o.TokenLife), nil
}

func plainBase64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// token is a JWT that says when it ends.
func (a *access) token(now time.Time, life time.Duration) string {
	head := plainBase64([]byte(`{"kid":"1","alg":"HS256"}`))
	claims := plainBase64([]byte(`{"uid":1,"utypid":2,"iat":` + strconv.FormatInt(now.Unix(), 10) + `,"exp":` + strconv.FormatInt(now.Add(life).Unix(), 10) + `}`))
	return head + "." + claims + "." + a.mac(head+"."+claims)
}

func (a *access) mac(text string) string {
	m := hmac.New(sha256.New, a.key)
	m.Write([]byte(text))
	return plainBase64(m.Sum(nil))
}

func (a *access) valid(token string, now time.Time) bool {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || !hmac.Equal([]byte(a.mac(parts[0]+"."+parts[1])), []byte(parts[2])) {
		return false
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct{ Exp int64 }
	return err == nil && json.Unmarshal(raw, &claims) == nil && now.Unix() < claims.Exp
}

func listModules(*call) (any, error) {
	var list []any
	for _, m := range []string{"Store", "Backend", "Eav", "Customer", "Catalog", "CatalogInventory", "ConfigurableProduct", "GroupedProduct", "Sales", "Inventory", "InventoryApi", "AsynchronousOperations", "Webapi", "WebapiAsync"} {
		list = append(list, "Magento_"+m)
	}
	return list, nil
}
