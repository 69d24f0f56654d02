package etcdcluster

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/cmd/internal/lab"
)

const (
	// askPatience bounds the question to one member how it is.
	askPatience = time.Second
	// endPatience bounds the end of a process that was killed.
	endPatience = time.Minute
	often       = 20 * time.Millisecond
)

// Member is one process of a cluster. Its methods may not be called at the same time.
type Member struct {
	name, dir, cluster string
	options            Options
	host, hub          *lab.Namespace
	peer               netip.AddrPort
	cmd                *exec.Cmd  // nil: it does not run
	exit               chan error // of cmd
}

// Endpoint is where clients find the member.
func (m *Member) Endpoint() string { return "unix://" + m.dir + ".sock" }

// plug connects the member's namespace with those of the others.
func (m *Member) plug(l *lab.Lab) error {
	err := l.Cable(lab.End{In: m.host, Interface: "eth0", Address: netip.PrefixFrom(m.peer.Addr(), 24)}, lab.End{In: m.hub, Interface: m.name})
	if err != nil {
		return err
	}
	return m.port(func(port netlink.Link) error {
		br, err := netlink.LinkByName(bridgeName)
		if err != nil {
			return err
		}
		return netlink.LinkSetMaster(port, br)
	})
}

// port does something with the hub's end of the member's cable.
func (m *Member) port(f func(netlink.Link) error) error {
	err := m.hub.Do(func() error {
		port, err := netlink.LinkByName(m.name)
		if err != nil {
			return err
		}
		return f(port)
	})
	if err != nil {
		return fmt.Errorf("cable of %s: %w", m.name, err)
	}
	return nil
}

// Part takes the member's cable out: no other member reaches it, all clients do.
func (m *Member) Part() error { return m.port(netlink.LinkSetDown) }

// Join puts its cable in.
func (m *Member) Join() error { return m.port(netlink.LinkSetUp) }

// Start starts the process, with what it had stored, and waits for nothing. Of one
// that runs it does nothing.
func (m *Member) Start() error {
	if m.cmd != nil {
		return nil
	}
	log, err := os.OpenFile(m.dir+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("start %s: %w", m.name, err)
	}
	defer log.Close()
	m.cmd = exec.Command(filepath.Join(m.options.Bin, filepath.Base(Program)), m.name, m.dir, m.cluster,
		strconv.FormatInt(m.options.QuotaBytes, 10), strconv.FormatBool(m.options.Disks))
	m.cmd.Stdout, m.cmd.Stderr = log, log
	if m.exit, err = m.host.Bring(m.cmd); err != nil {
		m.cmd = nil
		return fmt.Errorf("start %s: %w", m.name, err)
	}
	return nil
}

// Kill ends the process with SIGKILL. Of one that does not run it does nothing.
func (m *Member) Kill() error {
	if m.cmd == nil {
		return nil
	}
	if err := m.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill %s: %w", m.name, err)
	}
	select {
	case <-m.exit:
		m.cmd = nil
		return nil
	case <-time.After(endPatience):
		return fmt.Errorf("kill %s: it is there after %s", m.name, endPatience)
	}
}

// Freeze stops the process: it takes connections and says nothing.
func (m *Member) Freeze() error { return m.signal(unix.SIGSTOP) }

// Thaw has a stopped process go on.
func (m *Member) Thaw() error { return m.signal(unix.SIGCONT) }

func (m *Member) signal(s unix.Signal) error {
	if m.cmd == nil {
		return fmt.Errorf("signal %s: it does not run", m.name)
	}
	return m.cmd.Process.Signal(s)
}

// Disk has each sync of a file take so much longer, from now on.
func (m *Member) Disk(late time.Duration) error {
	if !m.options.Disks {
		return fmt.Errorf("disk of %s: the cluster was started without Options.Disks", m.name)
	}
	next := m.dir + ".late.new"
	if err := os.WriteFile(next, []byte(late.String()), 0o600); err != nil {
		return fmt.Errorf("disk of %s: %w", m.name, err)
	}
	return os.Rename(next, m.dir+".late")
}

// Log is what the process wrote, its end.
func (m *Member) Log() string {
	b, err := os.ReadFile(m.dir + ".log")
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-4000):])
}

func pause(ctx context.Context) error {
	select {
	case <-time.After(often):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
