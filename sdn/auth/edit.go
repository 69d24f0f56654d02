package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/effect"
)

// AddUser writes a user into the file, which is made if it is not there. A user
// of that name is sdn.ErrExists, or replaced.
func AddUser(path string, u User, replace bool) error {
	if err := u.whole(); err != nil {
		return fmt.Errorf("add user: %w", err)
	}
	return edit(path, func(users []User) ([]User, error) {
		i := slices.IndexFunc(users, func(o User) bool { return o.Name == u.Name })
		switch {
		case i < 0:
			return append(users, u), nil
		case !replace:
			return nil, fmt.Errorf("add user %s: %w", u.Name, sdn.ErrExists)
		}
		users[i] = u
		return users, nil
	})
}

// RemoveUser takes a user out of the file; one who is not there is
// sdn.ErrNotFound.
func RemoveUser(path, name string) error {
	return edit(path, func(users []User) ([]User, error) {
		i := slices.IndexFunc(users, func(o User) bool { return o.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("remove user %s: %w", name, sdn.ErrNotFound)
		}
		return slices.Delete(users, i, i+1), nil
	})
}

// edit replaces the file by what change makes of it, in one step, while no
// other edit of it is under way.
func edit(path string, change func([]User) ([]User, error)) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("users file: %w", err)
	}
	defer dir.Close()
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", dir.Name(), err)
	}
	users, err := ReadUsers(path)
	if err != nil {
		return err
	}
	if users, err = change(users); err != nil {
		return err
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	for _, u := range users {
		if err := enc.Encode(u); err != nil {
			return fmt.Errorf("users file: %w", err)
		}
	}
	if err := replaceFile(path, text.Bytes()); err != nil {
		return fmt.Errorf("users file: %w", err)
	}
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("users file: %w", err)
	}
	return nil
}

func replaceFile(path string, text []byte) error {
	var f *os.File
	err := effect.Do(effect.File, "create a users file under another name", func() (err error) {
		f, err = os.CreateTemp(filepath.Dir(path), ".users-*.tmp") // mode 0600
		return err
	})
	if err != nil {
		return err
	}
	defer func() {
		_ = effect.Do(effect.File, "remove the other name of a users file", func() error { return os.Remove(f.Name()) })
	}()
	err = effect.Do(effect.File, "write a users file", func() error {
		_, err := f.Write(text)
		return errors.Join(err, f.Sync())
	})
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return effect.Do(effect.File, "place a users file", func() error { return os.Rename(f.Name(), path) })
}
