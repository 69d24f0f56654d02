package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
)

// FlushTables deletes every nftables table in the namespaces that the daemon
// made, as a careless operator would.
func FlushTables(d *Daemon) error {
	return eachRouterOf(d, func() error {
		c, err := nftables.New()
		if err != nil {
			return err
		}
		c.FlushRuleset()
		return c.Flush()
	})
}

// eachRouterOf runs f in every namespace that the daemon made.
func eachRouterOf(d *Daemon, f func() error) error {
	entries, err := os.ReadDir(d.NetnsDir())
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := In(filepath.Join(d.NetnsDir(), e.Name()), f); err != nil {
			return fmt.Errorf("in %s: %w", e.Name(), err)
		}
	}
	if len(entries) == 0 {
		return errors.New("the daemon has no namespace")
	}
	return nil
}

// CutLink deletes an interface inside the namespace, and its peer with it.
func (n *Namespace) CutLink(name string) error {
	return n.Do(func() error {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		return netlink.LinkDel(link)
	})
}
