package dataplane

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/plan"
)

// Source is where the wanted topology comes from.
type Source interface {
	// View calls f with a consistent picture, which is valid until f returns.
	View(f func(sdn.View))
	// Follow calls f with the changes of each commit, in order, until ctx ends.
	Follow(ctx context.Context, f func([]sdn.Change)) error
}

// Reports is where the engine says what the kernel confirmed.
type Reports interface {
	SetActive(port sdn.PortID, active bool)
	SetAlive(host sdn.HostID, alive bool)
	SetInterfaces(host sdn.HostID, addresses []netip.Addr, interfaces []sdn.HostInterface)
}

// Config of an Engine.
type Config struct {
	Source  Source
	Reports Reports
	Plan    plan.Config
	Logger  *slog.Logger

	NetnsDir string        // where namespaces are pinned; "": /run/netns
	Interval time.Duration // between full passes; 0: 20 s
	// Grace is how long an interface with a stamp of this installation may be
	// there before its port is: an agent makes both at once. 0: 15 s.
	Grace  time.Duration
	Kernel Kernel // nil: that of this machine
}

const (
	defaultDir      = "/run/netns"
	defaultInterval = 20 * time.Second
	defaultGrace    = 15 * time.Second
	workers         = 4
)

func (c Config) withDefaults() Config {
	if c.NetnsDir == "" {
		c.NetnsDir = defaultDir
	}
	if c.Interval == 0 {
		c.Interval = defaultInterval
	}
	if c.Grace == 0 {
		c.Grace = defaultGrace
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Report counts what a pass wrote.
type Report struct {
	Namespaces int // made or removed
	Sysctls    int
	Links      int // messages
	Addresses  int
	Routes     int // and policy rules
	Neighbours int
	Tables     int // messages
}

// Writes is the sum.
func (r Report) Writes() int {
	return r.Namespaces + r.Sysctls + r.Links + r.Addresses + r.Routes + r.Neighbours + r.Tables
}

func (r *Report) add(o Report) {
	r.Namespaces += o.Namespaces
	r.Sysctls += o.Sysctls
	r.Links += o.Links
	r.Addresses += o.Addresses
	r.Routes += o.Routes
	r.Neighbours += o.Neighbours
	r.Tables += o.Tables
}
