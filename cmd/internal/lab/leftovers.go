package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// claimsDir holds a file for each lab, named by the prefix of its namespaces, with
// its directory as content. The lab's process has it locked as long as it lives:
// one that nobody has locked is of a lab that was killed.
const claimsDir = "/run/moat-labs"

// tempPrefix begins the names of labs' directories.
const tempPrefix = "moat-lab-"

// claim makes the lab known to labs to come.
func (l *Lab) claim() error {
	if err := os.MkdirAll(claimsDir, 0o700); err != nil {
		return fmt.Errorf("claim lab: %w", err)
	}
	path := filepath.Join(claimsDir, l.prefix)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("claim lab: %w", err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX)
	if err == nil {
		_, err = f.WriteString(l.Dir) // before it is written nobody takes it for a dead one's
	}
	if err != nil {
		return fmt.Errorf("claim lab: %w", errors.Join(err, f.Close(), os.Remove(path)))
	}
	l.Defer(func() error { return errors.Join(os.Remove(path), f.Close()) })
	return nil
}

// sweep removes what labs that were killed left behind: their namespaces and
// their directories.
func sweep() error {
	claims, err := filepath.Glob(filepath.Join(claimsDir, "lab*"))
	if err != nil {
		return err
	}
	var errs []error
	for _, path := range claims {
		errs = append(errs, sweepOne(path))
	}
	return errors.Join(errs...)
}

func sweepOne(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // its lab was closed meanwhile
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil // its lab lives
	}
	content, err := os.ReadFile(path)
	dir := string(content)
	if err != nil || !strings.HasPrefix(filepath.Base(dir), tempPrefix) {
		return nil // closed meanwhile, or not written yet
	}
	pinned, err := filepath.Glob(filepath.Join(netnsDir, filepath.Base(path)+"*"))
	errs := []error{err}
	for _, p := range pinned {
		errs = append(errs, unpin(p))
	}
	errs = append(errs, unmountBelow(dir), os.RemoveAll(dir))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remove what a killed lab left: %w", err)
	}
	return os.Remove(path)
}
