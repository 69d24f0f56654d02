package dataplane

import (
	"maps"

	"github.com/moatnet/moat/sdn/dataplane/rtnl"
	"github.com/moatnet/moat/sdn/plan"
)

// fixed is what a picture holds of neighbours that are not learned.
type fixed struct {
	neighbours map[plan.Neighbour]bool
	stations   map[plan.Station]bool
}

func newFixed() fixed {
	return fixed{neighbours: make(map[plan.Neighbour]bool), stations: make(map[plan.Station]bool)}
}

// dropNeighbours forgets those of an interface.
func (f fixed) dropNeighbours(dev string) {
	maps.DeleteFunc(f.neighbours, func(n plan.Neighbour, _ bool) bool { return n.Dev == dev })
}

// dropStations forgets those behind an interface.
func (f fixed) dropStations(dev string) {
	maps.DeleteFunc(f.stations, func(s plan.Station, _ bool) bool { return s.Dev == dev })
}

// observeFixed reads the neighbours that are Moat's: all static entries of
// bridges in its namespaces, and the permanent neighbours with its number.
func (s *space) observeFixed(p *picture, names map[int]string) error {
	neighbours, err := s.open.Neighbours()
	if err != nil {
		return err
	}
	for _, n := range neighbours {
		if n.Protocol == plan.RouteProtocol {
			p.fixed.neighbours[plan.Neighbour{Dev: names[n.Index], Addr: n.Addr, MAC: n.MAC}] = true
		}
	}
	stations, err := s.open.Stations()
	if err != nil {
		return err
	}
	for _, n := range stations {
		dev := names[n.Index]
		if !n.Own || p.links[dev].MAC != n.MAC {
			p.fixed.stations[plan.Station{Dev: dev, MAC: n.MAC}] = true
		}
	}
	return nil
}

// neighbours makes the neighbours whose interfaces are there, and removes the
// others of Moat's.
func (j *job) neighbours() error {
	arp, err := j.arpEntries()
	if err != nil {
		return err
	}
	stations, err := j.stations()
	if err != nil {
		return err
	}
	j.space.fixed = j.space.name != "" && len(j.want.Neighbours)+len(j.want.Stations) > 0
	batch := append(arp, stations...)
	j.report.Neighbours += len(batch)
	return j.space.open.Write(batch)
}

func (j *job) arpEntries() ([]rtnl.Request, error) {
	type place struct {
		dev  string
		addr string
	}
	seen := j.space.seen.fixed.neighbours
	want, kept := make(map[plan.Neighbour]bool), make(map[place]bool)
	var batch []rtnl.Request
	for _, n := range j.want.Neighbours {
		l, ok := j.space.seen.links[n.Dev]
		if !ok || !l.Up {
			continue
		}
		want[n], kept[place{n.Dev, n.Addr.String()}] = true, true
		if seen[n] {
			continue
		}
		q, err := rtnl.PutNeighbour(rtnl.Neighbour{Index: l.Index, Addr: n.Addr, MAC: n.MAC, Protocol: plan.RouteProtocol})
		if err != nil {
			return nil, err
		}
		batch = append(batch, q)
		seen[n] = true
	}
	for n := range seen {
		if want[n] {
			continue
		}
		delete(seen, n)
		if kept[place{n.Dev, n.Addr.String()}] {
			continue // another MAC took its place
		}
		q, err := rtnl.DelNeighbour(rtnl.Neighbour{Index: j.space.seen.links[n.Dev].Index, Addr: n.Addr, MAC: n.MAC})
		if err != nil {
			return nil, err
		}
		batch = append(batch, q)
	}
	return batch, nil
}

func (j *job) stations() ([]rtnl.Request, error) {
	seen := j.space.seen.fixed.stations
	want := make(map[plan.Station]bool)
	var batch []rtnl.Request
	for _, s := range j.want.Stations {
		l, ok := j.space.seen.links[s.Dev]
		if !ok || l.Master == 0 && l.Kind != "bridge" || l.MAC == s.MAC {
			continue
		}
		want[s] = true
		if seen[s] {
			continue
		}
		q, err := rtnl.PutStation(rtnl.Station{Index: l.Index, MAC: s.MAC, Own: l.Kind == "bridge"})
		if err != nil {
			return nil, err
		}
		batch = append(batch, q)
		seen[s] = true
	}
	for s := range seen {
		if want[s] {
			continue
		}
		l := j.space.seen.links[s.Dev]
		q, err := rtnl.DelStation(rtnl.Station{Index: l.Index, MAC: s.MAC, Own: l.Kind == "bridge"})
		if err != nil {
			return nil, err
		}
		batch = append(batch, q)
		delete(seen, s)
	}
	return batch, nil
}
