package survey

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/moatnet/moat/cmd/moat/internal/holdings"
	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/audit"
	"github.com/moatnet/moat/netns"
	"github.com/moatnet/moat/sdn"
)

// Node is the one that this process runs on.
type Node struct {
	Name         string
	Installation string // ID
	NetnsDir     string // of the engine's namespaces
	Orphan       holdings.Orphan
}

// namespacePrefix begins the names of the engine's namespaces.
const namespacePrefix = "moat-"

func (n *Node) look(ctx context.Context, s ipam.Snapshot) (*audit.Node, error) {
	seen := &audit.Node{Name: n.Name, Pods: map[ipam.Attachment]audit.Pod{}}
	var err error
	if seen.Ends, seen.Blind, err = n.ends(ctx, s); err != nil {
		return nil, err
	}
	for _, r := range s.Attachments {
		if r.Node == n.Name {
			seen.Pods[r.Attachment] = n.pod(ctx, r)
		}
	}
	for _, h := range s.Holdings {
		if _, both := seen.Pods[h.Attachment]; h.Node == n.Name && !both {
			seen.Pods[h.Attachment] = audit.Pod{Life: n.holder(h)}
		}
	}
	return seen, nil
}

// ends are the marked interfaces of the node, by port; blind says that there are
// namespaces that could not be looked at.
func (n *Node) ends(ctx context.Context, s ipam.Snapshot) (found map[string]audit.End, blind bool, err error) {
	paths := map[string]bool{"": true}
	for _, r := range s.Attachments {
		if r.Node == n.Name {
			paths[r.HostNS] = true
		}
	}
	files, err := os.ReadDir(n.NetnsDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, false, fmt.Errorf("list the engine's namespaces: %w", err)
	}
	for _, f := range files {
		if strings.HasPrefix(f.Name(), namespacePrefix) {
			paths[filepath.Join(n.NetnsDir, f.Name())] = true
		}
	}
	mark := sdn.Stamp(n.Installation, string(sdn.KindPort), "")
	found = map[string]audit.End{}
	for path := range paths {
		ends, err := netns.Ends(ctx, path, mark)
		if errors.Is(err, netns.ErrNoNamespace) {
			continue
		}
		if err != nil {
			blind = true
			continue
		}
		for _, e := range ends {
			found[strings.TrimPrefix(e.Alias, mark)] = audit.End{Namespace: path, Name: e.Name, MAC: e.MAC.String()}
		}
	}
	return found, blind, nil
}

// pod is what can be seen of an attachment's pod.
func (n *Node) pod(ctx context.Context, r ipam.Record) audit.Pod {
	if n.Orphan.Pods.Living(r.PodNetns, r.PodInode, r.BootID) {
		return inside(ctx, r)
	}
	if gone, err := n.Orphan.Gone(ctx, r); err == nil && gone {
		return audit.Pod{Life: audit.Gone}
	}
	return audit.Pod{Life: audit.Unknown}
}

func inside(ctx context.Context, r ipam.Record) audit.Pod {
	p := audit.Pod{Life: audit.Living}
	ends, err := netns.Ends(ctx, r.PodNetns, r.HostAlias)
	if err != nil {
		return p
	}
	p.Looked = true
	for _, e := range ends {
		p.End = &audit.PodEnd{Name: e.Name, MAC: e.MAC.String(), Addresses: e.Addresses}
	}
	return p
}

func (n *Node) holder(h ipam.Holding) audit.Life {
	switch pods := n.Orphan.Pods; {
	case pods.Living(h.PodNetns, h.PodInode, h.BootID):
		return audit.Living
	case pods.Gone(h.PodNetns, h.PodInode, h.BootID):
		return audit.Gone
	}
	return audit.Unknown
}

// Gone says whether the pod of a holding is proven to be gone.
func (n *Node) Gone(h ipam.Holding) bool { return n.holder(h) == audit.Gone }

// Unplugged opens the namespace of an attachment's living pod that has no interface
// with the attachment's mark; nil: it has one. Errors: fs.ErrNotExist for a
// namespace that is not at its path.
func (n *Node) Unplugged(ctx context.Context, r ipam.Record) (*os.File, error) {
	f, err := os.Open(r.PodNetns)
	if err != nil {
		return nil, fmt.Errorf("open the pod's namespace: %w", err)
	}
	_, inode, err := netns.Inode(f)
	if err == nil && (inode != r.PodInode || r.BootID != n.Orphan.Pods.BootID) {
		err = fmt.Errorf("the namespace at %s is not the pod's: %w", r.PodNetns, fs.ErrNotExist)
	}
	var p audit.Pod
	if err == nil {
		if p = inside(ctx, r); !p.Looked {
			err = fmt.Errorf("the interfaces of the namespace at %s cannot be read", r.PodNetns)
		}
	}
	if err != nil || p.End != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}
