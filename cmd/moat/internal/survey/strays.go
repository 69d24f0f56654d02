package survey

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/audit"
	"github.com/moatnet/moat/netns"
	"github.com/moatnet/moat/sdn"
)

// Stray is a marked interface of the node that no attachment has.
type Stray struct {
	audit.End
	Port string  // of its mark
	Pod  *Inside // the other end; nil: it was not found
}

// Inside is the end of a pair in a pod.
type Inside struct {
	audit.PodEnd
	Path  string // of the pod's namespace
	Inode uint64
}

// Strays lists the interfaces in the engine's namespaces whose mark names a port
// that no attachment of the node has, by port, with the pods behind them as far as
// their namespaces are found: pinned in a folder where others are, or of a process.
func (n *Node) Strays(ctx context.Context, s ipam.Snapshot) ([]Stray, error) {
	ends, _, err := n.ends(ctx, s)
	if err != nil {
		return nil, err
	}
	for _, r := range s.Attachments {
		if r.Node == n.Name {
			delete(ends, r.Port)
		}
	}
	if len(ends) == 0 {
		return nil, nil
	}
	pods, err := n.insides(ctx, s)
	if err != nil {
		return nil, err
	}
	var strays []Stray
	for _, port := range slices.Sorted(maps.Keys(ends)) {
		if ends[port].Name == sdn.InterfaceName(sdn.PortID(port)) && ends[port].Namespace != "" {
			strays = append(strays, Stray{ends[port], port, pods[port]})
		}
	}
	return strays, nil
}

// netnsFolder is where runtimes pin namespaces, as iproute2 does.
const netnsFolder = "/run/netns"

// insides are the marked interfaces in pods' namespaces, by port.
func (n *Node) insides(ctx context.Context, s ipam.Snapshot) (map[string]*Inside, error) {
	mark := sdn.Stamp(n.Installation, string(sdn.KindPort), "")
	found, seen := map[string]*Inside{}, map[uint64]bool{}
	for _, path := range n.namespaces(s) {
		inode, err := inodeAt(path)
		if err != nil || seen[inode] {
			continue // it has ended meanwhile, or is no namespace
		}
		seen[inode] = true
		ends, err := netns.Ends(ctx, path, mark)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("look into pods' namespaces: %w", ctx.Err())
		}
		if err != nil {
			continue
		}
		for _, e := range ends {
			found[strings.TrimPrefix(e.Alias, mark)] = &Inside{audit.PodEnd{Name: e.Name, MAC: e.MAC.String(), Addresses: e.Addresses}, path, inode}
		}
	}
	return found, nil
}

// namespaces are the paths of all namespaces that can be found but the engine's,
// pinned ones first.
func (n *Node) namespaces(s ipam.Snapshot) (paths []string) {
	folders := map[string]bool{netnsFolder: true}
	for _, r := range s.Attachments {
		if r.Node == n.Name && !strings.HasPrefix(r.PodNetns, "/proc/") {
			folders[filepath.Dir(r.PodNetns)] = true
		}
	}
	for _, folder := range slices.Sorted(maps.Keys(folders)) {
		files, _ := os.ReadDir(folder) // one that is not there has none
		for _, f := range files {
			if f.Type().IsRegular() && !strings.HasPrefix(f.Name(), namespacePrefix) {
				paths = append(paths, filepath.Join(folder, f.Name()))
			}
		}
	}
	processes, _ := filepath.Glob("/proc/[0-9]*/ns/net")
	return append(paths, processes...)
}

// inodeAt does not open what it looks at: an open namespace cannot be unmounted.
func inodeAt(path string) (uint64, error) {
	st, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return st.Sys().(*syscall.Stat_t).Ino, nil
}
