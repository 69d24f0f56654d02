package plan

import (
	"fmt"
	"net"

	"github.com/moatnet/moat/sdn"
)

// CheckMACPort returns an error that wraps sdn.ErrUnsupported for an entry that
// the kernel engine cannot realise.
func CheckMACPort(m sdn.MACPort) error {
	if m.VLAN != 0 {
		return fmt.Errorf("MAC entry %s of bridge %s: vlanId %d: VLAN-aware bridges: %w", m.MAC, m.Bridge, m.VLAN, sdn.ErrUnsupported)
	}
	return checkMAC(m.MAC, fmt.Sprintf("MAC entry %s of bridge %s: macAddr", m.MAC, m.Bridge))
}

// CheckIP4MAC is the same for an ARP entry.
func CheckIP4MAC(m sdn.IP4MAC) error {
	what := fmt.Sprintf("ARP entry %s of bridge %s", m.Addr, m.Bridge)
	if a := m.Addr; !a.Is4() || a.IsMulticast() || a.IsLoopback() || a.IsUnspecified() {
		return fmt.Errorf("%s: ip: no address of a station: %w", what, sdn.ErrUnsupported)
	}
	return checkMAC(m.MAC, what+": mac")
}

func checkMAC(text, what string) error {
	mac, err := net.ParseMAC(text)
	if err != nil || len(mac) != 6 {
		return fmt.Errorf("%s: no MAC: %w", what, sdn.ErrInvalid)
	}
	if mac[0]&1 != 0 || mac.String() == "00:00:00:00:00:00" {
		return fmt.Errorf("%s: no address of a station: %w", what, sdn.ErrUnsupported)
	}
	return nil
}

func canonical(mac string) string {
	parsed, _ := net.ParseMAC(mac) // it was checked
	return parsed.String()
}

// addNeighbours plans what is fixed on a bridge: behind which of its ports a MAC
// is, and which ARP requests it answers itself. Of several ports for one MAC, or
// MACs for one address, the kernel has the first.
func (n *Namespace) addNeighbours(v sdn.View, c Config, b sdn.Bridge) {
	places := make(map[string]sdn.PortID)
	for _, m := range v.MACPortsOf(b.ID) {
		if err := CheckMACPort(m); err != nil {
			n.Unrealised = append(n.Unrealised, err.Error())
			continue
		}
		dev, ok := stationDev(v, c, b, m.Port)
		if !ok {
			continue
		}
		mac := canonical(m.MAC)
		if other, taken := places[mac]; taken {
			n.Unrealised = append(n.Unrealised, fmt.Sprintf("MAC entry %s of bridge %s: port %s: it is behind port %s already", mac, b.ID, m.Port, other))
			continue
		}
		places[mac] = m.Port
		n.Stations = append(n.Stations, Station{Dev: dev, MAC: mac})
	}
	n.addARP(v, b)
}

// stationDev is the interface by which a bridge reaches what is behind a port.
func stationDev(v sdn.View, c Config, b sdn.Bridge, id sdn.PortID) (string, bool) {
	p, ok := v.Port(id)
	if !ok || p.Device != sdn.DeviceID(b.ID) {
		return "", false
	}
	if b.Home.Self != "" && p.Peer == b.Home.Self {
		return sdn.InterfaceName(b.ID), true
	}
	l, ok := Member(v, c, p)
	return l.Name, ok
}

// addARP plans a bridge's ARP entries. It answers for them itself while it knows
// behind which of its ports the MAC is.
func (n *Namespace) addARP(v sdn.View, b sdn.Bridge) {
	dev := sdn.InterfaceName(b.ID)
	answers := make(map[string]string)
	for _, m := range v.IP4MACsOf(b.ID) {
		if err := CheckIP4MAC(m); err != nil {
			n.Unrealised = append(n.Unrealised, err.Error())
			continue
		}
		mac := canonical(m.MAC)
		if other, taken := answers[m.Addr.String()]; taken {
			n.Unrealised = append(n.Unrealised, fmt.Sprintf("ARP entry %s of bridge %s: %s: it is at %s already", m.Addr, b.ID, mac, other))
			continue
		}
		answers[m.Addr.String()] = mac
		n.Neighbours = append(n.Neighbours, Neighbour{Dev: dev, Addr: m.Addr, MAC: mac})
	}
	if len(answers) == 0 {
		return
	}
	for i, l := range n.Links {
		n.Links[i].AnswerARP = l.Master == dev
		if l.Name == dev {
			n.Links[i].NoARP = false
		}
	}
}
