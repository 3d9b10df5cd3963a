package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/internal/api"
	"github.com/lockstep-sync/lockstep/internal/config"
	"github.com/lockstep-sync/lockstep/internal/webhook"
)

// mostBody is the largest body that a notice is signed with here.
const mostBody = 64 << 20

func (t *tool) hookCommand() *cobra.Command {
	c := t.command(spec{
		use:   "hook [sign | send]",
		short: "Try webhooks from a shell: sign a notice, or send one",
		long: `A webhook is a notice of a flow's source at ` + "`POST /hooks/FLOW`" + `: "look at these records". These
commands sign and send one as the source would, to try the way from end to end.`,
		example: "  lockstep hook send products 17 18\n  lockstep hook sign products --body notice.json",
		args:    cobra.NoArgs,
		run:     func(context.Context, []string) error { return usagef("`lockstep hook` goes on with sign or send") },
	})
	c.AddCommand(t.hookSign(), t.hookSend())
	return c
}

// notice is what the flags of both commands say.
type notice struct{ secretFile, body string }

func (n *notice) flags(c *cobra.Command) {
	c.Flags().StringVar(&n.secretFile, "secret-file", "", "`FILE` with the secret; by default the first of the flow's hook.secrets")
	c.Flags().StringVar(&n.body, "body", "", "`FILE` with the body as it is sent; - is standard input")
}

func (t *tool) hookSign() *cobra.Command {
	var n notice
	c := t.command(spec{
		use:   "sign [FLOW] [flags]",
		short: "Print the headers that sign a notice",
		long: `Prints the two headers of a signed notice, for ` + "`curl -H @FILE`" + `. The signature holds for the body
byte by byte, and as long as the flow's hook.window. The secret comes from the configuration, or
with --secret-file from a file: never from the command line, which others can see.`,
		example: `  lockstep hook sign products --body notice.json > headers
  curl -H @headers --data-binary @notice.json http://127.0.0.1:8087/hooks/products`,
		args: cobra.MaximumNArgs(1), complete: t.flowNames,
		run: func(_ context.Context, args []string) error {
			if n.body == "" {
				return usagef("name the body with --body")
			}
			body, err := t.bodyOf(n.body)
			if err != nil {
				return err
			}
			secret, err := t.secretOf(n.secretFile, args)
			if err != nil {
				return err
			}
			h := http.Header{}
			webhook.Sign(h, body, time.Now(), secret)
			if t.json {
				return t.line(map[string]string{webhook.TimestampHeader: h.Get(webhook.TimestampHeader), webhook.SignatureHeader: h.Get(webhook.SignatureHeader)})
			}
			t.put("%s: %s\n%s: %s", webhook.TimestampHeader, h.Get(webhook.TimestampHeader), webhook.SignatureHeader, h.Get(webhook.SignatureHeader))
			return nil
		},
	})
	n.flags(c)
	return c
}

func (t *tool) hookSend() *cobra.Command {
	var n notice
	var url string
	c := t.command(spec{
		use:   "send FLOW [KEY...] [flags]",
		short: "Send a signed notice to the running lockstep",
		long: `Signs a notice and sends it to ` + "`api.listen`" + ` of the configuration, or to --url: that the records with
these keys are to be looked at, or with --body what the source's system would say.`,
		example: "  lockstep hook send products 17 18\n  lockstep hook send products --body notice.json\n  lockstep hook send products 17 --url https://sync.example.com",
		args:    cobra.MinimumNArgs(1), complete: t.flowNames,
		run: func(ctx context.Context, args []string) error { return t.sendNotice(ctx, n, url, args[0], args[1:]) },
	})
	n.flags(c)
	c.Flags().StringVar(&url, "url", "", "`ADDRESS` of the HTTP API, without a path")
	return c
}

func (t *tool) sendNotice(ctx context.Context, n notice, url, flow string, keys []string) error {
	if (n.body == "") == (len(keys) == 0) {
		return usagef("name keys, or a body with --body")
	}
	body, err := json.Marshal(map[string]any{"keys": keys, "notice": rand.Text()}) // twice in a second is no repetition
	if n.body != "" {
		body, err = t.bodyOf(n.body)
	}
	if err != nil {
		return err
	}
	secret, err := t.secretOf(n.secretFile, []string{flow})
	if err != nil {
		return err
	}
	client := &http.Client{Timeout: time.Minute}
	if url == "" {
		if url, err = t.apiAddress(client); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(url, "/")+"/hooks/"+flow, bytes.NewReader(body))
	if err != nil {
		return usagef("the address %q cannot be used", url)
	}
	req.Header.Set("Content-Type", "application/json")
	webhook.Sign(req.Header, body, time.Now(), secret)
	resp, err := client.Do(req)
	if err != nil {
		f := lockstep.NewFault(lockstep.CodeDaemon, err)
		f.Next = "Start `lockstep run` with `api` in its configuration, or name the address with --url."
		return f
	}
	defer resp.Body.Close()
	return t.showTaken(resp)
}

// showTaken prints what was answered to a notice.
func (t *tool) showTaken(resp *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return lockstep.NewFault(lockstep.CodeNetwork, err)
	}
	var taken api.Taken
	if resp.StatusCode >= http.StatusMultipleChoices || json.Unmarshal(text, &taken) != nil {
		var p api.Problem
		if json.Unmarshal(text, &p) != nil || p.Code == "" {
			return lockstep.Faultf(lockstep.CodeNetwork, "the answer is %s, which is none of lockstep's", resp.Status)
		}
		f := lockstep.NewFault(p.Code, errors.New(p.Detail))
		f.Next = p.Next
		return f
	}
	switch {
	case t.json:
		return t.line(taken)
	case taken.Repeated:
		t.put("taken before: the same notice again does nothing")
	default:
		t.put("taken: %s to look at", count(int64(taken.Keys), "record"))
	}
	return nil
}

func (t *tool) bodyOf(name string) ([]byte, error) {
	in := t.in
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, lockstep.NewFault(lockstep.CodeFile, err)
		}
		defer f.Close()
		in = f
	}
	body, err := io.ReadAll(io.LimitReader(in, mostBody+1))
	switch {
	case err != nil:
		return nil, lockstep.NewFault(lockstep.CodeFile, err)
	case len(body) > mostBody:
		return nil, lockstep.Faultf(lockstep.CodeFile, "the body is larger than 64 MiB")
	}
	return body, nil
}

// secretOf is the secret in a file, without the line end at its end, or the first of a flow's.
func (t *tool) secretOf(file string, flow []string) (string, error) {
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return "", lockstep.NewFault(lockstep.CodeFile, err)
		}
		if secret := strings.TrimRight(string(text), "\r\n"); secret != "" {
			return secret, nil
		}
		return "", lockstep.Faultf(lockstep.CodeSecret, "%s is empty", file)
	}
	if len(flow) == 0 {
		return "", usagef("name the flow whose secret signs, or a file with --secret-file")
	}
	c, err := t.load()
	if err != nil {
		return "", err
	}
	f := c.Flow(flow[0])
	switch {
	case f == nil:
		return "", lockstep.Faultf(lockstep.CodeNoFlow, "there is no flow %q", flow[0])
	case f.Hook == nil:
		return "", usagef("the flow %s has no `hook`: it takes no signed notices", f.Name)
	}
	return f.Hook.Secrets[0].Reveal(), nil
}

// apiAddress is where the API of the configuration is reached from this machine. The client trusts its certificate.
func (t *tool) apiAddress(client *http.Client) (string, error) {
	c, err := t.load()
	if err != nil {
		return "", err
	}
	if c.API == nil {
		return "", usagef("the configuration has no `api`: name the address with --url")
	}
	host, port, err := net.SplitHostPort(c.API.Listen)
	if err != nil {
		return "", lockstep.NewFault(lockstep.CodeConfig, err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	at := net.JoinHostPort(host, port)
	if c.API.TLS == nil {
		return "http://" + at, nil
	}
	return "https://" + at, trust(client, c.API.TLS)
}

// trust makes the client hold a server for the right one that shows this very certificate, whatever its name is: it is
// reached by an address that the certificate need not have.
func trust(client *http.Client, t *config.TLS) error {
	pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return lockstep.NewFault(lockstep.CodeFile, err)
	}
	client.Transport = &http.Transport{TLSClientConfig: &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // VerifyPeerCertificate is stricter: one certificate, and no other
		VerifyPeerCertificate: func(shown [][]byte, _ [][]*x509.Certificate) error {
			if len(shown) == 0 || !bytes.Equal(shown[0], pair.Certificate[0]) {
				return errors.New("the server's certificate is not that of `api.tls`")
			}
			return nil
		},
	}}
	return nil
}

// apiLine is the address of the HTTP API, where some flow's status has it.
func (t *tool) apiLine(at string) {
	if at != "" {
		t.put("\n%s %s", t.outPaint().dim("HTTP API:"), at)
	}
}
