package backup

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	format = "moat backup"
	// Version of the file that this program writes. It reads no newer one.
	Version = 1
)

// The kinds of errors of Read.
var (
	// ErrDamaged: the file is not as it was written: cut short, or changed.
	ErrDamaged = errors.New("the backup is damaged")
	// ErrNewer: a newer program wrote the file.
	ErrNewer = errors.New("the backup was written by a newer program")
)

// Header says what a backup is of.
type Header struct {
	Format       string    `json:"format"`
	Version      int       `json:"version"`
	Program      string    `json:"program"` // version of the program that wrote it
	Created      time.Time `json:"created"`
	Installation string    `json:"installation"` // ID
	Name         string    `json:"name"`         // of the installation
	Node         string    `json:"node"`         // whose files there are
	Revision     int64     `json:"revision"`     // of etcd, all keys as they were then
	Keys         int       `json:"keys"`
	Files        int       `json:"files"`
}

// Key is one key of etcd without the installation's prefix.
type Key struct {
	Name  string `json:"key"`
	Value []byte `json:"value"`
}

// File is one file of mode 0600, by its path below the data directory, or
// UsersFile.
type File struct {
	Path    string `json:"file"`
	Content []byte `json:"content"`
}

// UsersFile stands for the file of the REST API's users, wherever the configuration
// has it.
const UsersFile = "users"

// Backup is what a file holds.
type Backup struct {
	Header
	Keys  []Key
	Files []File
	// Sum is the SHA-256 of the file, in hex; Encode and Read set it.
	Sum string
}

// trailer is the last line.
type trailer struct {
	Sum string `json:"sha256"`
}

// Encode is the text of the file.
func (b *Backup) Encode() ([]byte, error) {
	b.Format, b.Version, b.Header.Keys, b.Header.Files = format, Version, len(b.Keys), len(b.Files)
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	lines := []any{b.Header}
	for _, k := range b.Keys {
		lines = append(lines, k)
	}
	for _, f := range b.Files {
		lines = append(lines, f)
	}
	for _, line := range lines {
		if err := enc.Encode(line); err != nil {
			return nil, fmt.Errorf("encode backup: %w", err)
		}
	}
	b.Sum = sum(text.Bytes())
	if err := enc.Encode(trailer{b.Sum}); err != nil {
		return nil, fmt.Errorf("encode backup: %w", err)
	}
	return text.Bytes(), nil
}

func sum(text []byte) string {
	s := sha256.Sum256(text)
	return hex.EncodeToString(s[:])
}

// Read reads a whole file and checks it. Errors: ErrDamaged, ErrNewer.
func Read(path string) (Backup, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Backup{}, fmt.Errorf("read backup: %w", err)
	}
	b, err := parse(text)
	if err != nil {
		return Backup{}, fmt.Errorf("read backup %s: %w", path, err)
	}
	return b, nil
}

func parse(text []byte) (b Backup, err error) {
	first, _, _ := bytes.Cut(text, []byte("\n"))
	if err := json.Unmarshal(first, &b.Header); err != nil || b.Format != format {
		return b, fmt.Errorf("its first line is not that of a file of `moat backup`: %w", ErrDamaged)
	}
	if b.Version > Version {
		return b, fmt.Errorf("%w: it has version %d of the format (moat %s wrote it), this program knows %d", ErrNewer, b.Version, b.Program, Version)
	}
	body := bytes.LastIndexByte(bytes.TrimSuffix(text, []byte("\n")), '\n') + 1
	var end trailer
	if err := json.Unmarshal(text[body:], &end); err != nil || end.Sum == "" || body == 0 {
		return b, fmt.Errorf("its last line is missing, it was cut short: %w", ErrDamaged)
	}
	if b.Sum = sum(text[:body]); b.Sum != end.Sum {
		return b, fmt.Errorf("its checksum is %s, and its last line says %s: %w", b.Sum, end.Sum, ErrDamaged)
	}
	return b, b.lines(text[len(first)+1 : body])
}

// lines reads keys and files.
func (b *Backup) lines(text []byte) error {
	scan := bufio.NewScanner(bytes.NewReader(text))
	scan.Buffer(nil, len(text)+1)
	for n := 2; scan.Scan(); n++ {
		var line struct {
			Key
			File
		}
		if err := json.Unmarshal(scan.Bytes(), &line); err != nil {
			return fmt.Errorf("line %d is not readable: %w", n, ErrDamaged)
		}
		switch {
		case line.Name != "":
			b.Keys = append(b.Keys, line.Key)
		case inside(line.Path):
			b.Files = append(b.Files, line.File)
		default:
			return fmt.Errorf("line %d: file %q is not one below the data directory: %w", n, line.Path, ErrDamaged)
		}
	}
	if len(b.Keys) != b.Header.Keys || len(b.Files) != b.Header.Files {
		return fmt.Errorf("it has %d keys and %d files, and its first line says %d and %d: %w",
			len(b.Keys), len(b.Files), b.Header.Keys, b.Header.Files, ErrDamaged)
	}
	return nil
}

// inside says whether a path stays below the folder that it is joined to.
func inside(path string) bool {
	return filepath.IsLocal(path) && filepath.Clean(path) == path && path != "." && !strings.ContainsRune(path, 0)
}
