package node

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/cmd/moat/internal/config"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/effect"
)

const (
	lockFile          = "lock"
	tombstonesFolder  = "tombstones"
	networksFolder    = "networks"
	delegationsFolder = "delegations"
	// unfinishedNames are those of files before placeFile places them.
	unfinishedNames = ".moat-*.tmp"
)

// errLocked: another process works in the data directory.
var errLocked = errors.New("in use by another moat")

// lockDataDir makes sure that one daemon alone works in a data directory, and removes
// files that another left there half written.
func lockDataDir(dir string) (unlock func(), err error) {
	if err := makeDataDir(dir); err != nil {
		return nil, err
	}
	var f *os.File
	err = effect.Do(effect.File, "create the lock of the data directory", func() (err error) {
		f, err = os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("data directory %s is %w; give this one its own --data-dir, --socket and --name", dir, errLocked)
		}
		return nil, fmt.Errorf("lock data directory: %w", err)
	}
	if err := clearUnfinished(dir, unfinishedNames); err != nil {
		_ = f.Close()
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}

func makeDataDir(dir string) error {
	err := effect.Do(effect.File, "create the data directory", func() error { return os.MkdirAll(dir, 0o700) })
	if err != nil {
		return fmt.Errorf("create data directory: %w", err)
	}
	return nil
}

// hostID is the ID of this host in the topology: the configured one, or a random
// one, made by the first start and kept in the data directory.
func hostID(c config.Config) (sdn.HostID, error) {
	if c.HostID != "" {
		return sdn.ParseID[sdn.HostID](c.HostID)
	}
	text, err := onceFile(filepath.Join(c.DataDir, "host_id"), func() (string, error) { return uuid.NewString(), nil })
	if err != nil {
		return "", fmt.Errorf("host ID: %w", err)
	}
	return sdn.ParseID[sdn.HostID](text)
}

// adminPassword is the API's password: random, made by the first start.
func adminPassword(dir string) (string, error) {
	text, err := onceFile(filepath.Join(dir, "admin.password"), func() (string, error) {
		raw := make([]byte, 24)
		if _, err := rand.Read(raw); err != nil {
			return "", err
		}
		return base64.RawURLEncoding.EncodeToString(raw), nil
	})
	if err != nil {
		return "", fmt.Errorf("admin password: %w", err)
	}
	return text, nil
}

// onceFile reads a file of mode 0600, or writes it with what create returns. Of
// several processes that write it at once, all return what the first wrote.
func onceFile(path string, create func() (string, error)) (string, error) {
	text, err := readOnceFile(path)
	if !errors.Is(err, os.ErrNotExist) {
		return text, err
	}
	if text, err = create(); err != nil {
		return "", err
	}
	err = placeFile(path, []byte(text+"\n"), 0o600, os.Link)
	if errors.Is(err, os.ErrExist) {
		return readOnceFile(path)
	}
	return text, err
}

func readOnceFile(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(b))
	if text == "" {
		return "", fmt.Errorf("%s is empty; remove it to have another made", path)
	}
	return text, nil
}

// writeAtomically replaces a file, so that no reader sees half of it.
func writeAtomically(path string, content []byte, mode os.FileMode) error {
	return placeFile(path, content, mode, os.Rename)
}

// placeFile writes a file under another name and places it at path, by renaming
// or by linking it, which fails with os.ErrExist where there is one. File and
// directory are synced.
func placeFile(path string, content []byte, mode os.FileMode, place func(from, to string) error) error {
	if err := clearUnfinished(filepath.Dir(path), unfinished(path)); err != nil {
		return err
	}
	f, err := createUnfinished(path)
	if err != nil {
		return err
	}
	defer f.Close() // when it is placed: without its lock it would be a dead writer's
	defer func() {
		_ = effect.Do(effect.File, "remove the other name of a file of the daemon", func() error { return os.Remove(f.Name()) })
	}()
	err = effect.Do(effect.File, "write a file of the daemon", func() error {
		_, err := f.Write(content)
		return errors.Join(err, f.Chmod(mode), f.Sync())
	})
	if err != nil {
		return err
	}
	if err := effect.Do(effect.File, "place a file of the daemon", func() error { return place(f.Name(), path) }); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// unfinished is the pattern of the names under which a file is written.
func unfinished(path string) string {
	return strings.Replace(unfinishedNames, "*", filepath.Base(path)+"-*", 1)
}

// createUnfinished makes a file to be placed at path, locked until it is closed or its
// writer dead. One that was taken for a dead writer's before it was locked is made again.
func createUnfinished(path string) (*os.File, error) {
	for {
		var f *os.File
		err := effect.Do(effect.File, "create a file of the daemon under another name", func() (err error) {
			f, err = os.CreateTemp(filepath.Dir(path), unfinished(path))
			return err
		})
		if err != nil {
			return nil, err
		}
		var st unix.Stat_t
		if err := errors.Join(unix.Flock(int(f.Fd()), unix.LOCK_EX), unix.Fstat(int(f.Fd()), &st)); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if st.Nlink > 0 {
			return f, nil
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
}

// clearUnfinished removes from a folder what processes that died in writing files left
// there under such names. Who writes one holds a lock of it.
func clearUnfinished(folder, names string) error {
	entries, err := os.ReadDir(folder)
	for _, e := range entries {
		unfinished, bad := filepath.Match(names, e.Name())
		if err = errors.Join(err, bad); unfinished {
			err = errors.Join(err, clearDead(filepath.Join(folder, e.Name())))
		}
	}
	if err != nil {
		return fmt.Errorf("remove unfinished files: %w", err)
	}
	return nil
}

func clearDead(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return nil // its writer lives
	}
	err = effect.Do(effect.File, "remove an unfinished file", func() error { return os.Remove(path) })
	if errors.Is(err, os.ErrNotExist) {
		return nil // another process did
	}
	return err
}

// ConfListPath is the CNI configuration list of an installation.
func ConfListPath(c config.Config) string {
	return filepath.Join(c.CNIConfDir, "10-"+c.Name+".conflist")
}

// writeConfList tells container runtimes that Moat is ready.
func writeConfList(c config.Config, mtu int) error {
	err := effect.Do(effect.File, "create the folder of CNI configurations", func() error { return os.MkdirAll(c.CNIConfDir, 0o755) })
	if err != nil {
		return fmt.Errorf("CNI configuration: %w", err)
	}
	list := map[string]any{
		"cniVersion": "1.1.0",
		"name":       c.Name,
		"plugins":    []any{map[string]any{"type": "moat-cni", "socket": c.Socket, "mtu": mtu}},
	}
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return fmt.Errorf("CNI configuration: %w", err)
	}
	if err := writeAtomically(ConfListPath(c), append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("CNI configuration: %w", err)
	}
	return nil
}
