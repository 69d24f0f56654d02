package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/moatnet/moat/cmd/moat/internal/control"
	"github.com/moatnet/moat/netns"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/dataplane"
	"github.com/moatnet/moat/sdn/plan"
	"github.com/moatnet/moat/tenant"
)

// routers compares the topology with the namespaces of this node.
func (x *examination) routers(ctx context.Context) error {
	var t control.Topology
	if err := x.asked(ctx, func(ops control.Operations) (err error) { t, err = ops.Topology(ctx, ""); return err }); err != nil {
		return err
	}
	if !x.status.Engine {
		return nil // they are where the SDN's engine is
	}
	known := map[string]bool{}
	for _, b := range t.Bridges {
		known[sdn.NamespaceName(sdn.DeviceID(b.ID))] = true
	}
	for _, r := range t.Routers {
		known[r.Namespace] = true
		at := filepath.Join(x.Config.RunNetns, r.Namespace)
		if _, err := netns.Ends(ctx, at, sdn.StampPrefix(x.status.Installation)); errors.Is(err, netns.ErrNoNamespace) {
			x.found(fmt.Sprintf("router %s (%s) has no namespace at %s", r.Name, r.ID, at), "nothing passes this router", "the engine makes it within 20 s; if it stays away, see the log of moat up")
		} else if err != nil {
			return fmt.Errorf("look at router %s: %w", r.Name, err)
		}
	}
	return x.strays(ctx, known)
}

// strays are namespaces with the installation's stamp that no device has.
func (x *examination) strays(ctx context.Context, known map[string]bool) error {
	files, err := os.ReadDir(x.Config.RunNetns)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("list netnsDir: %w", err)
	}
	for _, f := range files {
		if !strings.HasPrefix(f.Name(), "moat-") || known[f.Name()] {
			continue
		}
		at := filepath.Join(x.Config.RunNetns, f.Name())
		ours, err := netns.Ends(ctx, at, sdn.StampPrefix(x.status.Installation))
		if err != nil && !errors.Is(err, netns.ErrNoNamespace) {
			return err
		}
		if len(ours) > 0 {
			x.found(fmt.Sprintf("namespace %s is of no router or bridge", at), "it holds memory, and interfaces that nobody uses", "the engine removes it within 20 s; if it stays: ip netns delete "+f.Name())
		}
	}
	return nil
}

// forwarding looks for chains of others on this host that drop what pods send and
// receive, in spite of the engine's rules.
func (x *examination) forwarding(ctx context.Context) (err error) {
	if x.status == nil {
		return errAway
	}
	if !x.status.Engine || x.Config.Uplink != "" {
		return nil // nothing of pods is forwarded by the host
	}
	port, err := tenant.UplinkPort(x.status.Installation)
	if err != nil {
		return err
	}
	c := plan.Config{Installation: x.status.Installation, Uplink: plan.Uplink{Port: port}}
	k, err := dataplane.NewLinux(x.Config.RunNetns, c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.Close()) }()
	host, err := k.Open("")
	if err != nil {
		return err
	}
	defer host.Close()
	chains, err := host.ForeignForward(c.UplinkStamp())
	if err != nil {
		return err
	}
	for _, chain := range chains {
		in, out := false, false
		for _, r := range chain.Rules {
			in, out = in || r.In, out || !r.In
		}
		if chain.Drops && (!in || !out) {
			x.found(fmt.Sprintf("chain %s of nftables table %s drops what is forwarded, and Moat's rules are not in it", chain.Chain, chain.Table),
				"pods reach nothing outside of this node", fmt.Sprintf("the engine adds them within 20 s; else: nft insert rule ip %s %s oifname %s accept, and the same with iifname", chain.Table, chain.Chain, sdn.InterfaceName(port)))
		}
	}
	legacy, err := host.LegacyFilter()
	if legacy {
		return errors.Join(err, errors.New("there is a filter table of legacy iptables, which cannot be read; see whether `iptables-legacy -S FORWARD` begins with -P FORWARD DROP"))
	}
	return err
}
