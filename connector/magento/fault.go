package magento

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/httpkit"
)

// The templates that the rest of the connector looks at.
const (
	saysURLKey      = "URL key for specified store already exists."
	saysOptionTaken = `Admin store attribute option label "%1" is already exists.`
	saysNoRoute     = "Request does not match any route."
	saysDeadlock    = "Database deadlock found"
	saysNoLinked    = "The linked products data is invalid"
)

// rule says what a refusal means, by its status (0 is any) and the beginning of its text. The first that fits counts.
type rule struct {
	status int
	says   string
	code   lockstep.Code
	kind   lockstep.FaultKind // instead of that of the code, if set
	next   string             // instead of that of the code, if set
}

const (
	nextACL     = "Grant the integration (or the admin user's role) the resource that the message names, then start the flow again. An access token as bearer (`token`) is refused with these words, too, while `oauth/consumer/enable_integration_as_bearer` is off: switch it on, or give the integration's four secrets instead."
	nextSign    = "Check the four secrets of the integration, and that `signing_url` is the address as Magento's PHP sees it: scheme, host and port, behind all proxies. Then start the flow again."
	nextSecrets = "Check the four secrets of the integration in Magento's admin (System, Integrations), then start the flow again."
	nextLogin   = "Check `username` and `password`; after six failures Magento locks the account for half an hour. Then start the flow again."
	next2FA     = "An admin user with two-factor authentication cannot log in by itself: make an integration (System, Integrations) and give its four secrets, or switch the module Magento_TwoFactorAuth off."
	nextLimits  = "Lower `page`, or raise the limits in Magento (Stores, Configuration, Services, Web API Input Limiting), then start the flow again."
	nextSlash   = "Let the web server before Magento pass %2F in paths on (Apache: `AllowEncodedSlashes NoDecode`), then `lockstep parked retry`."
	nextRoute   = "Check that the module of this call is switched on in Magento (`bin/magento module:status`), then start the flow again."
)

// rules is the table of Magento's refusals (contract 1.3 and 5.2 to 5.4).
var rules = []rule{
	{401, "The consumer isn't authorized to access", lockstep.CodeRights, 0, nextACL},
	{401, "The signature is invalid", lockstep.CodeLogin, 0, nextSign},
	{401, "The nonce is already being used", lockstep.CodeServer, 0, ""},
	{401, "A consumer having the specified key does not exist", lockstep.CodeLogin, 0, nextSecrets},
	{401, "Specified token does not exist", lockstep.CodeLogin, 0, nextSecrets},
	{401, "Consumer key is not the correct length", lockstep.CodeLogin, 0, nextSecrets},
	{401, "The timestamp provided in the OAuth", lockstep.CodeLogin, 0, "Set the clock of this machine or of Magento's right, then start the flow again."},
	{401, "The account sign-in was incorrect", lockstep.CodeLogin, 0, nextLogin},
	{400, "Please ask an administrator", lockstep.CodeLogin, 0, next2FA},
	{400, "You need to configure Two-Factor Authorization", lockstep.CodeLogin, 0, next2FA},
	{400, "Signature method", lockstep.CodeLogin, 0, nextSecrets},

	{400, saysDeadlock, lockstep.CodeDeadlock, 0, ""},
	{400, "Database lock wait timeout exceeded", lockstep.CodeDeadlock, 0, ""},
	{400, "SQLSTATE[40001]", lockstep.CodeDeadlock, 0, ""},
	{400, "Database connection error", lockstep.CodeServer, 0, ""},
	{400, "Could not save Source Item", lockstep.CodeServer, 0, ""},
	{400, "The product was unable to be saved. Please try again.", lockstep.CodeServer, 0, ""},
	{400, "The stock item was unable to be saved", lockstep.CodeServer, 0, ""},
	{400, "Unable to save product", lockstep.CodeServer, 0, ""},
	{400, "The product can't be saved.", lockstep.CodeServer, 0, ""},

	{400, saysNoLinked, lockstep.CodeReference, 0, ""}, // it went since it was looked at
	{400, saysURLKey, lockstep.CodeUnique, 0, "Give the record another `url_key`, or find the product or category that has it."},
	{400, saysOptionTaken, lockstep.CodeUnique, 0, ""},
	{400, "%1 already exists.", lockstep.CodeUnique, 0, ""},
	{400, "A customer with the same email address already exists", lockstep.CodeUnique, 0, ""},

	{400, "Maximum SearchCriteria pageSize is", lockstep.CodeCannot, 0, nextLimits},
	{400, "Maximum items of type", lockstep.CodeCannot, 0, nextLimits},
	{400, "Specified request cannot be processed.", lockstep.CodeConfig, lockstep.Denied, "There is no such store view any more: check `views`, then start the flow again."},
	{400, "Server cannot understand", lockstep.CodeInvariant, 0, ""},
	{400, "Decoding error.", lockstep.CodeInvariant, 0, ""},

	{404, saysNoRoute, lockstep.CodeCannot, 0, nextRoute},
	{404, "", lockstep.CodeGone, 0, ""},
	{405, "", lockstep.CodeCannot, 0, nextRoute},
	{400, "", lockstep.CodeValue, 0, ""},
	{401, "", lockstep.CodeLogin, 0, ""},
	{403, "", lockstep.CodeRights, 0, ""},
	{500, "", lockstep.CodeServer, 0, ""},
}

// find is the rule of a refusal, nil where the table has none.
func findRule(r *refusal) *rule {
	for i := range rules {
		if k := &rules[i]; k.status == r.status && (k.says == "" || r.says(k.says)) {
			return k
		}
	}
	return nil
}

// refused is the fault of an answer, nil for 2xx.
func refused(q *call, req httpkit.Request, a *httpkit.Answer) error {
	if a.Status >= 200 && a.Status < 300 {
		return nil
	}
	r, spoken := readRefusal(a.Status, a.Body)
	var f *lockstep.Fault
	switch k := (*rule)(nil); {
	case spoken && a.Status != 429 && a.Status != 503:
		if k = findRule(r); k == nil {
			return req.Check(a)
		}
		f = lockstep.NewFault(k.code, r)
		if k.kind != 0 {
			f.Kind = k.kind
		}
		if k.next != "" {
			f.Next = k.next
		}
		if f.Code == lockstep.CodeCannot && r.says(saysNoRoute) && strings.Contains(q.path, "%2F") { // decoded on its way
			f = slashFault(r)
		}
		if a.Status >= 500 && q.writes() {
			f = f.Maybe()
		}
	default:
		f = unspoken(q, req, a)
	}
	return f.On(lockstep.About{Request: q.name})
}

func slashFault(err error) *lockstep.Fault {
	f := lockstep.NewFault(lockstep.CodeValue, err)
	f.Next = nextSlash
	return f
}

// unspoken is the fault of an answer that has none of Magento's words: it is of PHP, or of a server before it.
func unspoken(q *call, req httpkit.Request, a *httpkit.Answer) *lockstep.Fault {
	f := lockstep.FaultOf(req.Check(a))
	maybe := func(code lockstep.Code, text string) *lockstep.Fault {
		g := lockstep.Faultf(code, "status %d: %s", a.Status, text)
		if q.writes() {
			g = g.Maybe()
		}
		return g
	}
	switch a.Status {
	case http.StatusInternalServerError:
		if q.writes() && bytes.HasPrefix(bytes.TrimSpace(a.Body), []byte("An error has happened during application run")) {
			// PHP broke on what it was sent, and would again.
			f = lockstep.Faultf(lockstep.CodeValue, "status 500: Magento breaks on this record; its log (var/log/exception.log) says why")
		}
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		f = maybe(lockstep.CodeTimeout, "the server before Magento got no answer in time; PHP may still be at it")
	case http.StatusServiceUnavailable:
		f = maybe(lockstep.CodeUnavailable, "the shop is in maintenance, or down")
		if low := bytes.ToLower(a.Body); bytes.Contains(low, []byte("maintenance")) || bytes.Contains(low, []byte("service temporarily unavailable")) {
			f.Unknown = false // it was not begun
		}
	case http.StatusNotFound:
		if strings.Contains(q.path, "%2F") {
			return slashFault(f.Err)
		}
		f = lockstep.Faultf(lockstep.CodeNoStream, "status 404: there is no Magento at this address")
		f.Next = "Check `url`: it is the shop's base address, and /rest behind it must lead to Magento."
	}
	return f
}
