package file

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/lockstep-sync/lockstep"
	"github.com/lockstep-sync/lockstep/connector/internal/typetext"
)

// manifest says what a file holds. It is written before the file is renamed into place, so Previous tells what the old
// file looks like: whichever of the two is there is whole.
type manifest struct {
	Rows     *int64    `json:"rows,omitempty"`
	Bytes    *int64    `json:"bytes,omitempty"`
	SHA256   string    `json:"sha256,omitempty"` // of the file as it lies on disk
	Written  time.Time `json:"written_at"`
	Stream   *declared `json:"stream,omitempty"`
	Previous *manifest `json:"previous,omitempty"`
}

// declared keeps a stream's types, which the file itself cannot tell.
type declared struct {
	Key    []string        `json:"key"`
	Fields []declaredField `json:"fields,omitempty"`
}

type declaredField struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

func manifestPath(file string) string { return file + ".manifest.json" }

// readManifest is the file's manifest, nil where there is none.
func readManifest(file string) (*manifest, error) {
	b, err := os.ReadFile(manifestPath(file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fileFault(manifestPath(file), err)
	}
	var m manifest
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, lockstep.Faultf(lockstep.CodeFormat, "the manifest cannot be read: %w", err).On(about(manifestPath(file)))
	}
	return &m, nil
}

// fits tells whether a file of that size and hash is the one described, or the one before it.
func (m *manifest) fits(size int64, sum string) bool {
	if (m.Bytes == nil || *m.Bytes == size) && (m.SHA256 == "" || m.SHA256 == sum) {
		return true
	}
	return m.Previous != nil && m.Previous.fits(size, sum)
}

// checkManifest holds a file against its manifest, if it has one: a file that was cut short must not look like
// deletes (law 9).
func checkManifest(file string, m *manifest) error {
	if m == nil || m.SHA256 == "" && m.Bytes == nil {
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return fileFault(file, err)
	}
	defer func() { _ = f.Close() }()
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	if err != nil {
		return fileFault(file, err)
	}
	if !m.fits(size, hex.EncodeToString(sum.Sum(nil))) {
		return mismatch(file)
	}
	return nil
}

func mismatch(file string) *lockstep.Fault {
	f := lockstep.Faultf(lockstep.CodeShortRead, "the file is not the one that its manifest describes").On(about(file))
	f.Next = "Copy the file anew; if it is right as it is, remove its manifest."
	return f
}

func (d *declared) fields() ([]lockstep.Field, error) {
	out := make([]lockstep.Field, len(d.Fields))
	for i, f := range d.Fields {
		t, err := typetext.Parse(f.Type)
		if err != nil {
			return nil, err
		}
		out[i] = lockstep.Field{Name: f.Name, Type: t, Nullable: true}
	}
	return out, nil
}

func declare(key []string, fields []lockstep.Field) *declared {
	d := &declared{Key: key}
	for _, f := range fields {
		d.Fields = append(d.Fields, declaredField{f.Name, typetext.Of(f.Type)})
	}
	return d
}
