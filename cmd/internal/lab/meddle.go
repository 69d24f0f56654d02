package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
)

// namespacePrefix begins the names of the namespaces that Moat makes.
const namespacePrefix = "moat-"

// routers lists the namespaces that Moat pinned.
func routers() ([]*Namespace, error) {
	entries, err := os.ReadDir(netnsDir)
	if err != nil {
		return nil, err
	}
	var found []*Namespace
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), namespacePrefix) {
			continue
		}
		path := filepath.Join(netnsDir, e.Name())
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		found = append(found, &Namespace{Name: e.Name(), Path: path, file: f})
	}
	return found, nil
}

// FlushTables deletes every nftables table in the namespaces that the daemon
// made, as a careless operator would.
func FlushTables(ctx context.Context, d *Daemon) error {
	return eachRouterOf(ctx, d, func() error {
		c, err := nftables.New()
		if err != nil {
			return err
		}
		c.FlushRuleset()
		return c.Flush()
	})
}

// eachRouterOf runs f in the namespaces whose name stands in the daemon's
// topology, so that another installation's are left alone.
func eachRouterOf(ctx context.Context, d *Daemon, f func() error) error {
	text, err := d.CLI(ctx, "topology")
	if err != nil {
		return fmt.Errorf("%w: %s", err, text)
	}
	all, err := routers()
	if err != nil {
		return err
	}
	done := 0
	for _, n := range all {
		if strings.Contains(text, n.Name) {
			if err := n.Do(f); err != nil {
				return fmt.Errorf("in %s: %w", n.Name, err)
			}
			done++
		}
		_ = n.file.Close()
	}
	if done == 0 {
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
