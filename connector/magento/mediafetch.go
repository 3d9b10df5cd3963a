package magento

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/lockstep-sync/lockstep"
)

// fetcher takes the bytes of images from where the source says that they are.
type fetcher struct {
	http  http.Client
	hosts []string // which alone are allowed; empty: any that is not within a private network
	most  int64
}

const (
	fetchTimeout  = 2 * time.Minute
	mostRedirects = 3
)

var errPrivate = errors.New("the address is in a private network")

// newFetcher takes images of up to most bytes from hosts ("cdn.example.com", or with a port).
func newFetcher(hosts []string, most int64) *fetcher {
	f := &fetcher{most: most}
	for _, h := range hosts {
		f.hosts = append(f.hosts, strings.ToLower(h))
	}
	// A URL comes with a record: without a list it must not be able to reach into the network that we run in.
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	if len(f.hosts) == 0 {
		dialer.Control = func(_, address string, _ syscall.RawConn) error {
			if at, err := netip.ParseAddrPort(address); err != nil || !isPublic(at.Addr().Unmap()) {
				return errPrivate
			}
			return nil
		}
	}
	t := &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: 10 * time.Second, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true}
	if len(f.hosts) > 0 { // a proxy would resolve the name itself
		t.Proxy = http.ProxyFromEnvironment
	}
	f.http = http.Client{Transport: t, Timeout: fetchTimeout, CheckRedirect: sameHost}
	return f
}

func (f *fetcher) close() { f.http.CloseIdleConnections() }

func isPublic(a netip.Addr) bool {
	return a.IsGlobalUnicast() && !a.IsPrivate() && !slices.ContainsFunc(closedNets, func(p netip.Prefix) bool { return p.Contains(a) })
}

// closedNets are not for the public, besides what package netip calls private: shared address space, and addresses
// that stand for one of IPv4.
var closedNets = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("2002::/16"),
}

var errElsewhere = errors.New("it leads to another host")

// sameHost lets a redirect stay where it is: another host may be one that is not allowed.
func sameHost(req *http.Request, via []*http.Request) error {
	if len(via) > mostRedirects || req.URL.Host != via[0].URL.Host || req.URL.Scheme != via[0].URL.Scheme {
		return errElsewhere
	}
	return nil
}

// imageFile is an image's bytes, on disk: memory holds none of them for longer than it takes to pass them on.
type imageFile struct {
	file *os.File
	size int64
	sum  string // of the bytes
	ext  string
	mime string
}

func (i *imageFile) close() {
	name := i.file.Name()
	_ = i.file.Close()
	_ = os.Remove(name) // gone already where the system lets go of open files
}

// reader reads the bytes from the beginning; any number may read side by side.
func (i *imageFile) reader() io.Reader { return io.NewSectionReader(i.file, 0, i.size) }

// allowed is the URL, if it may be asked.
func (f *fetcher) allowed(hash, text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" { // what is wrong with it has the text in it
		return nil, pictureFault(hash, "its URL cannot be understood")
	}
	host := strings.ToLower(u.Host)
	if len(f.hosts) > 0 && !slices.Contains(f.hosts, host) && !slices.Contains(f.hosts, strings.ToLower(u.Hostname())) {
		return nil, pictureFault(hash, "the host %s is not in media_hosts", short(u.Host))
	}
	return u, nil
}

// fetch takes an image's bytes. Whatever fails is about this image, never about the shop: its faults name the hash and
// the host, and no path or query, for these may be signed.
func (f *fetcher) fetch(ctx context.Context, hash, text string) (*imageFile, error) {
	u, err := f.allowed(hash, text)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, pictureFault(hash, "its URL cannot be understood")
	}
	req.Header.Set("User-Agent", "lockstep")
	req.Header.Set("Accept", "image/*")
	resp, err := f.http.Do(req)
	if err != nil {
		return nil, fetchFault(ctx, hash, u.Host, err)
	}
	defer resp.Body.Close()
	if err := fetchStatus(hash, u.Host, resp.StatusCode); err != nil {
		return nil, err
	}
	if resp.ContentLength > f.most {
		return nil, pictureCode(lockstep.CodeTooLarge, hash, "it has %d bytes, more than max_image", resp.ContentLength)
	}
	out, err := f.keep(resp.Body, hash)
	if _, ours := errors.AsType[*lockstep.Fault](err); err != nil && !ours {
		return nil, fetchFault(ctx, hash, u.Host, err)
	}
	return out, err
}

// keep writes the bytes into a file that has no name, where the system can do that.
func (f *fetcher) keep(body io.Reader, hash string) (*imageFile, error) {
	file, err := os.CreateTemp("", "lockstep-image-*")
	if err != nil {
		return nil, lockstep.Faultf(lockstep.CodeServer, "image %s: no temporary file: %w", short(hash), err)
	}
	_ = os.Remove(file.Name())
	out := &imageFile{file: file}
	digest, head := sha256.New(), &headBytes{}
	n, err := io.Copy(io.MultiWriter(file, digest, head), io.LimitReader(body, f.most+1))
	switch out.size, out.sum = n, hex.EncodeToString(digest.Sum(nil))[:sumLength]; {
	case err != nil:
		if disk, ok := errors.AsType[*os.PathError](err); ok {
			err = lockstep.Faultf(lockstep.CodeServer, "image %s: no temporary file: %w", short(hash), disk.Err)
		}
	case n > f.most:
		err = pictureCode(lockstep.CodeTooLarge, hash, "it has more bytes than max_image (%d)", f.most)
	default:
		if out.ext, out.mime = imageType(head.b[:head.n]); out.ext == "" {
			err = pictureFault(hash, "its bytes are neither JPEG nor PNG nor GIF, and Magento takes no others")
		}
	}
	if err != nil {
		out.close()
		return nil, err
	}
	return out, nil
}

// headBytes keeps the first bytes that are written.
type headBytes struct {
	b [8]byte
	n int
}

func (h *headBytes) Write(p []byte) (int, error) {
	h.n += copy(h.b[h.n:], p)
	return len(p), nil
}

// imageType tells by the first bytes: a name or a header may say anything, and Magento looks, too.
func imageType(head []byte) (ext, mime string) {
	text := string(head)
	switch {
	case strings.HasPrefix(text, "\xff\xd8\xff"):
		return "jpg", "image/jpeg"
	case strings.HasPrefix(text, "\x89PNG\r\n\x1a\n"):
		return "png", "image/png"
	case strings.HasPrefix(text, "GIF87a"), strings.HasPrefix(text, "GIF89a"):
		return "gif", "image/gif"
	}
	return "", ""
}

// fetchFault is the fault of a request that got no answer.
func fetchFault(ctx context.Context, hash, host string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	host = short(host)
	netErr, isNet := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, errElsewhere):
		return pictureFault(hash, "%s leads to another host, or in circles", host)
	case errors.Is(err, errPrivate):
		f := pictureCode(lockstep.CodeValue, hash, "%s is in a private network", host)
		f.Next = "Put the host into `media_hosts` if images may come from there."
		return f
	case isNet && netErr.Timeout():
		return pictureCode(lockstep.CodeTimeout, hash, "%s does not answer in time", host)
	}
	return pictureCode(lockstep.CodeNetwork, hash, "no answer from %s", host)
}

func fetchStatus(hash, host string, status int) error {
	host = short(host)
	switch {
	case status == http.StatusOK:
		return nil
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status >= 500:
		return pictureCode(lockstep.CodeServer, hash, "%s answers with status %d", host, status)
	case status == http.StatusNotFound, status == http.StatusGone:
		return pictureFault(hash, "%s does not have it (status %d)", host, status)
	}
	return pictureFault(hash, "%s does not give it (status %d)", host, status)
}

// shelf holds the images that the writes of one Apply share, so that each is fetched once. It is bounded, and for any
// number of goroutines.
type shelf struct {
	from  *fetcher
	mu    sync.Mutex
	items []*shelved // oldest first
	size  int64
}

type shelved struct {
	url     string
	ready   chan struct{}
	image   *imageFile
	err     error
	holders int
}

// Bounds of a shelf: what is held by a write is beyond them.
const (
	mostShelved      = 32
	mostShelvedBytes = 128 << 20
)

// take gives an image, and what to call when it is needed no more.
func (s *shelf) take(ctx context.Context, hash, url string) (*imageFile, func(), error) {
	s.mu.Lock()
	i := slices.IndexFunc(s.items, func(it *shelved) bool { return it.url == url })
	if i >= 0 {
		it := s.items[i]
		it.holders++
		s.mu.Unlock()
		select {
		case <-it.ready:
		case <-ctx.Done():
			s.drop(it)
			return nil, nil, ctx.Err()
		}
		if it.err != nil {
			s.drop(it)
			return nil, nil, it.err
		}
		return it.image, func() { s.drop(it) }, nil
	}
	it := &shelved{url: url, ready: make(chan struct{}), holders: 1}
	s.items = append(s.items, it)
	s.mu.Unlock()
	image, err := s.from.fetch(ctx, hash, url)
	s.mu.Lock()
	it.image, it.err = image, err
	if image != nil {
		s.size += image.size
	}
	s.mu.Unlock()
	close(it.ready)
	if err != nil {
		s.drop(it)
		return nil, nil, err
	}
	return image, func() { s.drop(it) }, nil
}

// drop lets go of an item, and of the oldest ones that nobody holds while there are too many.
func (s *shelf) drop(it *shelved) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it.holders--
	left := len(s.items)
	s.items = slices.DeleteFunc(s.items, func(old *shelved) bool {
		if old.holders > 0 || left <= mostShelved && s.size <= mostShelvedBytes {
			return false
		}
		left--
		s.forget(old)
		return true
	})
}

func (s *shelf) forget(it *shelved) {
	if it.image != nil {
		s.size -= it.image.size
		it.image.close()
	}
}

func (s *shelf) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range s.items {
		s.forget(it)
	}
	s.items = nil
}
