package server

import (
	"net/http"
	"slices"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/wire"
)

const kindIPAddrGroup = "IPAddrGroup"

func (s *server) registerIPAddrGroups() {
	one, many := []string{wire.IPAddrGroupV1}, []string{wire.Collection(wire.IPAddrGroupV1)}
	s.handle("/"+wire.IPAddrGroups, map[string]operation{
		http.MethodGet:  {gives: many, do: s.listIPAddrGroups},
		http.MethodPost: {takes: one, gives: one, do: s.createIPAddrGroup},
	})
	s.handle("/"+wire.IPAddrGroups+"/{id}", map[string]operation{
		http.MethodGet:    {gives: one, do: s.getIPAddrGroup},
		http.MethodDelete: {do: s.deleteIPAddrGroup},
	})
	addr, addrs := []string{wire.IPAddrGroupAddrV1}, []string{wire.Collection(wire.IPAddrGroupAddrV1)}
	s.handle("/"+wire.IPAddrGroups+"/{id}/"+wire.IPAddrs, map[string]operation{
		http.MethodGet:  {gives: addrs, manual: true, do: s.listGroupAddrs},
		http.MethodPost: {takes: addr, gives: addr, manual: true, do: s.addGroupAddr},
	})
	s.handle("/"+wire.IPAddrGroups+"/{id}/"+wire.Versions+"/{version}/"+wire.IPAddrs+"/{addr}", map[string]operation{
		http.MethodGet:    {gives: addr, manual: true, do: s.getGroupAddr},
		http.MethodDelete: {do: s.removeGroupAddr},
	})
}

func (s *server) listIPAddrGroups(c *call) (answer, error) {
	gs, err := c.api.IPAddrGroups(c.Context())
	return shown(gs, err, c.uris.IPAddrGroup)
}

func (s *server) createIPAddrGroup(c *call) (answer, error) {
	g, err := wire.ParseIPAddrGroup(c.body)
	if err != nil {
		return answer{}, err
	}
	g, err = c.api.CreateIPAddrGroup(c.Context(), g)
	if err != nil {
		return answer{}, err
	}
	d := c.uris.IPAddrGroup(g)
	return created(d.URI, d), nil
}

func (s *server) ipAddrGroup(c *call) (sdn.IPAddrGroup, error) {
	id, err := pathID[sdn.IPAddrGroupID](c, "id", kindIPAddrGroup)
	if err != nil {
		return sdn.IPAddrGroup{}, err
	}
	g, err := c.api.IPAddrGroup(c.Context(), id)
	return g, named(err, kindIPAddrGroup, string(id))
}

func (s *server) getIPAddrGroup(c *call) (answer, error) {
	g, err := s.ipAddrGroup(c)
	return ok(c.uris.IPAddrGroup(g)), err
}

func (s *server) deleteIPAddrGroup(c *call) (answer, error) {
	id, err := pathID[sdn.IPAddrGroupID](c, "id", kindIPAddrGroup)
	if err != nil {
		return answer{}, err
	}
	return gone(c.api.DeleteIPAddrGroup(c.Context(), id))
}

func (s *server) listGroupAddrs(c *call) (answer, error) {
	g, err := s.ipAddrGroup(c)
	if err != nil {
		return answer{}, err
	}
	as, err := c.api.IPAddrGroupAddrs(c.Context(), g.ID)
	return shown(as, err, c.uris.IPAddrGroupAddr)
}

func (s *server) addGroupAddr(c *call) (answer, error) {
	group, err := pathID[sdn.IPAddrGroupID](c, "id", kindIPAddrGroup)
	if err != nil {
		return answer{}, err
	}
	a, err := wire.ParseIPAddrGroupAddr(c.body)
	if err != nil {
		return answer{}, err
	}
	a.Group = group
	if err := c.api.AddIPAddrGroupAddr(c.Context(), a); err != nil {
		return answer{}, err
	}
	d := c.uris.IPAddrGroupAddr(a)
	return created(d.URI, d), nil
}

// groupAddr reads the address that the path names, in whichever spelling.
func groupAddr(c *call) (sdn.IPAddrGroupAddr, error) {
	group, err := pathID[sdn.IPAddrGroupID](c, "id", kindIPAddrGroup)
	if err != nil {
		return sdn.IPAddrGroupAddr{}, err
	}
	a, err := wire.ParseVersionedAddr(c.PathValue("version"), c.PathValue("addr"))
	return sdn.IPAddrGroupAddr{Group: group, Addr: a}, err
}

func (s *server) getGroupAddr(c *call) (answer, error) {
	a, err := groupAddr(c)
	if err != nil {
		return answer{}, err
	}
	as, err := c.api.IPAddrGroupAddrs(c.Context(), a.Group)
	if err != nil {
		return answer{}, named(err, kindIPAddrGroup, string(a.Group))
	}
	if !slices.Contains(as, a) {
		return answer{}, missing("IPAddrGroupAddr", a.Addr.String())
	}
	return ok(c.uris.IPAddrGroupAddr(a)), nil
}

func (s *server) removeGroupAddr(c *call) (answer, error) {
	a, err := groupAddr(c)
	if err != nil {
		return answer{}, err
	}
	return gone(c.api.RemoveIPAddrGroupAddr(c.Context(), a))
}
