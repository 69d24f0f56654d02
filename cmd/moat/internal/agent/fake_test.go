package agent_test

import (
	"context"
	"net/netip"
	"sync"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/netns"
	"github.com/moatnet/moat/tenant"
)

// service is a tenant.Service that remembers what it was asked.
type service struct {
	mu        sync.Mutex
	attached  map[ipam.Attachment]tenant.AttachRequest
	inodes    map[ipam.Attachment]uint64 // of the namespaces that came with Attach
	detached  []ipam.Attachment
	collected [][]ipam.Attachment
	checked   []tenant.Attached
	fail      error                           // answer of every call
	entered   func(ctx context.Context) error // runs inside Attach, if set
	leaving   func()                          // runs before Detach, if set
}

func newService() *service {
	return &service{attached: map[ipam.Attachment]tenant.AttachRequest{}, inodes: map[ipam.Attachment]uint64{}}
}

var gateway = netip.MustParseAddr("10.9.0.1")

func (s *service) Attach(ctx context.Context, r tenant.AttachRequest) (tenant.Attached, error) {
	s.mu.Lock()
	entered := s.entered
	s.mu.Unlock()
	if entered != nil {
		if err := entered(ctx); err != nil {
			return tenant.Attached{}, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return tenant.Attached{}, s.fail
	}
	_, inode, err := netns.Inode(r.Netns)
	if err != nil {
		return tenant.Attached{}, err
	}
	s.attached[r.Attachment], s.inodes[r.Attachment] = r, inode
	return tenant.Attached{
		Host:      tenant.Interface{Name: "moat00000000001", MAC: "02:00:00:00:00:01", MTU: 1500, Sandbox: "/run/netns/moat-1"},
		Pod:       tenant.Interface{Name: r.Attachment.IfName, MAC: "02:00:00:00:00:02", MTU: 1500, Sandbox: r.NetnsPath},
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.9.0.2/24")},
		Gateway:   gateway,
		Routes:    append([]netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}, r.Routes...),
	}, nil
}

func (s *service) Detach(_ context.Context, a ipam.Attachment) error {
	s.mu.Lock()
	leaving := s.leaving
	s.mu.Unlock()
	if leaving != nil {
		leaving()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.detached = append(s.detached, a)
	delete(s.attached, a)
	return s.fail
}

func (s *service) Check(_ context.Context, _ tenant.AttachRequest, want tenant.Attached) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.checked = append(s.checked, want)
	return s.fail
}

func (s *service) Collect(_ context.Context, _, _ string, valid []ipam.Attachment) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.collected = append(s.collected, valid)
	return s.fail
}

func (s *service) Status(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fail
}

// onAttach makes f run inside Attach.
func (s *service) onAttach(f func(ctx context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entered = f
}

// failWith makes every call answer err.
func (s *service) failWith(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = err
}

// request is what Attach was asked for the one attachment there is.
func (s *service) request() (r tenant.AttachRequest, inode uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for a, r := range s.attached {
		return r, s.inodes[a]
	}
	return r, 0
}

// beforeDetach has f run before each Detach.
func (s *service) beforeDetach(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaving = f
}

func (s *service) detaches() []ipam.Attachment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]ipam.Attachment(nil), s.detached...)
}

func (s *service) collections() [][]ipam.Attachment {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.collected
}

func (s *service) checks() []tenant.Attached {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.checked
}

func (s *service) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.attached)
}
