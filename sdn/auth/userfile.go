package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/access"
)

// maxFile bounds a users file, in bytes.
const maxFile = 4 << 20

// User is one line of a users file: a JSON object.
type User struct {
	Name string `json:"name"` // 1 to 255 characters without a colon
	// Hash is what Hash makes, or a bcrypt hash.
	Hash   string       `json:"hash"`
	Tenant sdn.TenantID `json:"tenant,omitempty"` // an admin needs none
	Role   access.Role  `json:"role"`
}

// Valid returns an error that names what is wrong with all but the hash.
func (u User) Valid() error {
	if !plain(u.Name) || strings.Contains(u.Name, ":") {
		return fmt.Errorf("name %q is not 1 to 255 printable characters without a colon: %w", u.Name, sdn.ErrInvalid)
	}
	switch u.Role {
	case access.Admin, access.TenantAdmin, access.TenantUser:
	default:
		return fmt.Errorf("role %q is none of %s, %s, %s: %w", u.Role, access.Admin, access.TenantAdmin, access.TenantUser, sdn.ErrInvalid)
	}
	if u.Tenant == "" && u.Role != access.Admin {
		return fmt.Errorf("role %s needs a tenant: %w", u.Role, sdn.ErrInvalid)
	}
	if u.Tenant != "" && !plain(string(u.Tenant)) {
		return fmt.Errorf("tenant %q is not 1 to 255 printable characters: %w", u.Tenant, sdn.ErrInvalid)
	}
	return nil
}

func (u User) whole() error {
	if err := u.Valid(); err != nil {
		return err
	}
	if _, err := parseHash(u.Hash); err != nil {
		return fmt.Errorf("hash: %w", err)
	}
	return nil
}

func plain(s string) bool {
	return s != "" && len(s) <= 255 && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// ReadUsers lists the users of a file in its order. A file that is not there has
// none; one that others may read is an error.
func ReadUsers(path string) ([]User, error) {
	users, _, err := readUsers(path)
	return users, err
}

// readUsers also tells what the file was; nil: not there.
func readUsers(path string) ([]User, fs.FileInfo, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("users file: %w", err)
	}
	defer f.Close()
	was, err := f.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("users file: %w", err)
	}
	if !was.Mode().IsRegular() || was.Mode().Perm()&0o077 != 0 {
		return nil, was, fmt.Errorf("users file %s: mode %s, but it must be a file for its owner alone (0600)", path, was.Mode())
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, was, fmt.Errorf("users file: %w", err)
	}
	if len(text) > maxFile {
		return nil, was, fmt.Errorf("users file %s: more than %d bytes", path, maxFile)
	}
	users, err := parseUsers(text)
	if err != nil {
		return nil, was, fmt.Errorf("users file %s: %w", path, err)
	}
	return users, was, nil
}

func parseUsers(text []byte) ([]User, error) {
	var users []User
	lines := map[string]int{}
	n := 0
	for line := range bytes.Lines(text) {
		n++
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		u, err := parseUser(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if before := lines[u.Name]; before != 0 {
			return nil, fmt.Errorf("line %d: user %s stands in line %d already: %w", n, u.Name, before, sdn.ErrInvalid)
		}
		lines[u.Name] = n
		users = append(users, u)
	}
	return users, nil
}

func parseUser(line []byte) (User, error) {
	var u User
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&u); err != nil {
		return User{}, fmt.Errorf("%w: %w", err, sdn.ErrInvalid)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return User{}, fmt.Errorf("more than one object: %w", sdn.ErrInvalid)
	}
	return u, u.whole()
}
