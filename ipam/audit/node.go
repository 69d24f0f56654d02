package audit

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/moatnet/moat/ipam"
)

// young is how long a holding is left alone: its ADD may be under way.
const young = 10 * time.Second

// halfMade are attachments whose making nobody waits for any more.
func (c *comparison) halfMade() {
	for _, r := range c.Attachments {
		if r.State == ipam.Adding && c.facts.Now.Sub(r.Deadline) > late {
			f := ofRecord(HalfMade, r, "attachment %s on node %s was to be made until %s and is not known to be", r.Attachment, r.Node, r.Deadline.UTC().Format(time.RFC3339))
			f.Remedy, f.Hint = Settle, "the daemon of node "+r.Node+" settles it; is it running?"
			c.add(f)
		}
	}
}

// ports compares attachments with the topology.
func (c *comparison) ports() {
	if c.facts.Ports == nil {
		return
	}
	for _, r := range c.Attachments {
		if r.State != ipam.Added || c.life(r.Attachment) == Gone {
			continue
		}
		p, ok := c.facts.Ports[r.Port]
		switch {
		case !ok:
			f := ofRecord(NoPort, r, "port %s of attachment %s on node %s is not there", r.Port, r.Attachment, r.Node)
			f.Remedy, f.Hint = Restore, "moat ip audit --repair on node "+r.Node+" makes it again"
			c.add(f)
		case p.Host != r.Host || p.Interface != r.HostName:
			f := ofRecord(OtherPort, r, "port %s of attachment %s on node %s is bound to %q of host %q, not to %s of host %s",
				r.Port, r.Attachment, r.Node, p.Interface, p.Host, r.HostName, r.Host)
			f.Remedy, f.Hint = ByHand, "bind it as it was, or delete the pod"
			c.add(f)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(c.facts.Ports)) {
		c.stray(c.facts.Ports[id])
	}
}

// stray looks whether a port of a pod, on a bridge of a tenant, is somebody's.
func (c *comparison) stray(p Port) {
	tenant, ours := c.bridges[p.Device]
	if _, owned := c.ofPort[p.ID]; owned || !ours || !p.Pod {
		return
	}
	f := Finding{Kind: PortWithoutOwner, Scope: ofTenant(tenant), Port: p.ID, Remedy: DropPort,
		What: fmt.Sprintf("port %s on bridge %s of tenant %s, bound to %s of host %s, is of no attachment", p.ID, p.Device, tenant, p.Interface, p.Host),
		Hint: "moat ip audit --repair deletes the port"}
	switch {
	case len(c.Unreadable) > 0:
		f.Remedy, f.Hint = ByHand, "its record may be among those that cannot be read: see to them first"
	case p.Active: // a pod may still use an address that the store forgot
		f.Remedy, f.Hint = ByHand, "a pod uses it, whose record is lost: delete the pod on host "+p.Host+", then the port"
	}
	c.add(f)
}

func (c *comparison) life(a ipam.Attachment) Life {
	if c.facts.Node == nil {
		return Unknown
	}
	if p, ok := c.facts.Node.Pods[a]; ok {
		return p.Life
	}
	return Unknown
}

// node compares what is recorded for a node with what is there.
func (c *comparison) node() {
	n := c.facts.Node
	if n == nil {
		return
	}
	for _, r := range c.Attachments {
		if r.Node == n.Name && r.State == ipam.Added {
			c.attachment(r, n.Pods[r.Attachment])
		}
	}
	for _, h := range c.Holdings {
		if h.Node == n.Name && n.Pods[h.Attachment].Life == Gone && c.facts.Now.Sub(h.At) > young {
			a := h.Attachment
			c.add(Finding{Kind: HoldingOfGonePod, Scope: ofPool(h.Pool), Address: first(h), Attachment: &a, Holding: h, Remedy: GiveBack,
				What: fmt.Sprintf("the pod of %s on node %s is gone, and holds addresses of pool %s", a, a.Node, h.Pool),
				Hint: "the daemon gives them back; so does moat ip audit --repair", evidence: fmt.Sprint(h.Revision)})
		}
	}
	c.looseEnds(n)
}

func first(h ipam.Holding) (a netip.Addr) {
	if len(h.Leases) > 0 {
		a = h.Leases[0].Address.Addr()
	}
	return a
}

// attachment compares one that is known to be made in full with its pod.
func (c *comparison) attachment(r ipam.Record, pod Pod) {
	end, there := c.facts.Node.Ends[r.Port]
	switch {
	case pod.Life == Gone:
		f := ofRecord(PodGone, r, "the pod of attachment %s on node %s (%s/%s) is gone", r.Attachment, r.Node, r.PodNamespace, r.PodName)
		f.Remedy, f.Hint = Detach, "the daemon detaches it; so does moat ip audit --repair on node "+r.Node
		c.add(f)
	case pod.Looked && pod.End == nil:
		f := ofRecord(NoInterface, r, "the pod of attachment %s on node %s has no interface with the attachment's mark", r.Attachment, r.Node)
		f.Remedy, f.Hint = Restore, "moat ip audit --repair on node "+r.Node+" makes it again, with address and MAC"
		c.add(f)
	case there && r.HostMAC != "" && end.MAC != r.HostMAC:
		c.differs(r, "the host's end %s has MAC %s, recorded is %s", end.Name, end.MAC, r.HostMAC)
	case pod.End != nil && r.PodMAC != "" && pod.End.MAC != r.PodMAC:
		c.differs(r, "interface %s has MAC %s, recorded is %s", pod.End.Name, pod.End.MAC, r.PodMAC)
	case pod.End != nil && !has(pod.End, r):
		c.differs(r, "interface %s has addresses %s, recorded is %s", pod.End.Name, pod.End.Addresses, r.Address)
	}
}

func has(e *PodEnd, r ipam.Record) bool {
	for _, p := range e.Addresses {
		if p.Addr() == r.Address {
			return true
		}
	}
	return false
}

func (c *comparison) differs(r ipam.Record, format string, args ...any) {
	f := ofRecord(OtherInterface, r, "of attachment %s on node %s "+format, append([]any{r.Attachment, r.Node}, args...)...)
	f.Remedy, f.Hint = ByHand, "who changed it? if nobody means it, delete the pod to have it made anew"
	c.add(f)
}

// looseEnds are marked interfaces whose port is nobody's and not in the topology.
func (c *comparison) looseEnds(n *Node) {
	if c.facts.Ports == nil {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(n.Ends)) {
		_, recorded := c.ofPort[id]
		if _, bound := c.facts.Ports[id]; recorded || bound {
			continue
		}
		e := n.Ends[id]
		c.add(Finding{Kind: InterfaceWithoutPort, Port: id, Remedy: ByItself,
			What: fmt.Sprintf("interface %s in namespace %q of node %s is marked with port %s, which is neither an attachment's nor in the topology", e.Name, e.Namespace, n.Name, id),
			Hint: "the engine of the node removes it; is it running?"})
	}
}
