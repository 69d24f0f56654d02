package dataplane

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/moatnet/moat/sdn/dataplane/rtnl"
	"github.com/moatnet/moat/sdn/nft"
	"github.com/moatnet/moat/sdn/nftnl"
	"github.com/moatnet/moat/sdn/plan"
)

// Linux is the kernel of this machine.
type Linux struct {
	dir  string
	host *os.File // the namespace in which the engine was started

	hostTable   string // the table of this installation there
	tablePrefix string // of its tables in namespaces of its own
}

// NewLinux returns the kernel with the calling thread's network namespace as
// the host's. Namespaces are pinned below dir. Close frees it.
func NewLinux(dir string, c plan.Config) (*Linux, error) {
	host, err := currentNamespace()
	if err != nil {
		return nil, fmt.Errorf("open the host's network namespace: %w", err)
	}
	return &Linux{dir: dir, host: host, hostTable: c.HostTable(), tablePrefix: c.TablePrefix()}, nil
}

// Close lets go of the host's namespace.
func (k *Linux) Close() error { return k.host.Close() }

// Namespaces implements Kernel.
func (k *Linux) Namespaces() ([]string, error) { return namespaces(k.dir) }

// CreateNamespace implements Kernel.
func (k *Linux) CreateNamespace(name, alias string) error {
	return createNamespace(k.dir, name, alias)
}

// PinAgain implements Kernel.
func (k *Linux) PinAgain(name string, fd int) (bool, error) { return pinAgain(k.dir, name, fd) }

// RemoveNamespace implements Kernel.
func (k *Linux) RemoveNamespace(name string) error { return removeNamespace(k.dir, name) }

// RemoveFile implements Kernel.
func (k *Linux) RemoveFile(name string, age time.Duration) (time.Duration, error) {
	return removeFile(k.dir, name, age)
}

// Path implements Kernel.
func (k *Linux) Path(name string) string {
	if name == "" {
		return ""
	}
	return filepath.Join(k.dir, name)
}

// Open implements Kernel.
func (k *Linux) Open(name string) (Space, error) {
	path := fmt.Sprintf("/proc/self/fd/%d", k.host.Fd())
	if name != "" {
		path = k.Path(name)
	}
	ns, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open namespace %s: %w", name, err)
	}
	if !isNamespace(ns) {
		ns.Close()
		return nil, fmt.Errorf("open namespace %s: nothing is pinned: %w", name, fs.ErrNotExist)
	}
	c, err := rtnl.Dial(int(ns.Fd()))
	if err != nil {
		ns.Close()
		return nil, fmt.Errorf("open namespace %s: %w", name, err)
	}
	return &linuxSpace{Conn: c, host: name == "", kernel: k, ns: ns}, nil
}

// linuxSpace is an open namespace of this machine; rtnl.Conn reads its links,
// addresses and routes.
type linuxSpace struct {
	*rtnl.Conn
	host   bool
	kernel *Linux
	ns     *os.File
	nft    *nftnl.Conn // nil until it is needed
}

func (s *linuxSpace) FD() int { return int(s.ns.Fd()) }

func (s *linuxSpace) Close() error {
	errs := []error{s.Conn.Close()}
	if s.nft != nil {
		errs = append(errs, s.nft.Close())
	}
	return errors.Join(append(errs, s.ns.Close())...)
}

func (s *linuxSpace) Write(batch []rtnl.Request) error { return s.Apply(batch) }

// Routes implements Space.
func (s *linuxSpace) Routes() ([]rtnl.Route, error) {
	if s.host {
		return s.Conn.Routes()
	}
	return s.AllRoutes()
}

// Rules implements Space.
func (s *linuxSpace) Rules() ([]rtnl.Rule, error) {
	if s.host {
		return nil, nil
	}
	return s.Conn.Rules()
}

func (s *linuxSpace) Sysctls(keys []string) (out map[string]string, err error) {
	err = inside(s.ns, func() (err error) {
		out, err = readSysctls(keys)
		return err
	})
	return out, err
}

func (s *linuxSpace) SetSysctls(settings []plan.Sysctl) error {
	return inside(s.ns, func() error { return writeSysctls(settings) })
}

// Tables implements Space. In a namespace of Moat's all tables with its prefix
// are its own; on the host only the one that has the installation's name.
func (s *linuxSpace) Tables(ctx context.Context) ([]nft.Table, error) {
	c, err := s.filters()
	if err != nil {
		return nil, err
	}
	prefix := s.kernel.tablePrefix
	if s.host {
		prefix = s.kernel.hostTable
	}
	return c.Tables(ctx, prefix)
}

// SetTables implements Space.
func (s *linuxSpace) SetTables(ctx context.Context, have, want []nft.Table) (int, error) {
	c, err := s.filters()
	if err != nil {
		return 0, err
	}
	return c.Apply(ctx, have, want)
}

func (s *linuxSpace) filters() (*nftnl.Conn, error) {
	if s.nft != nil {
		return s.nft, nil
	}
	c, err := nftnl.Dial(s.FD())
	if err != nil {
		return nil, err
	}
	s.nft = c
	return c, nil
}

func (s *linuxSpace) ID() (int, error) {
	if s.host {
		return hostSpace, nil
	}
	c, err := rtnl.Dial(int(s.kernel.host.Fd()))
	if err != nil {
		return 0, err
	}
	defer c.Close()
	return c.SpaceID(s.FD())
}
