package control

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/audit"
)

// The parameters of requests about addresses.
const (
	scopeParam   = "scope"
	nameParam    = "name"
	nodeParam    = "node"
	addressParam = "address"
	forParam     = "for"
	noteParam    = "note"
	duringParam  = "during"
	forceParam   = "force"
	repairParam  = "repair"
	dropParam    = "drop"
)

func scoped(s ipam.Scope) url.Values {
	v := url.Values{}
	if s != (ipam.Scope{}) {
		v.Set(scopeParam, string(s.Kind))
		v.Set(nameParam, s.Name)
	}
	return v
}

// Addresses implements Operations.
func (c *Client) Addresses(ctx context.Context, q AddressQuery) ([]audit.Address, error) {
	v := scoped(q.Scope)
	v.Set(nodeParam, q.Node)
	if q.Address.IsValid() {
		v.Set(addressParam, q.Address.String())
	}
	return call[[]audit.Address](ctx, c, http.MethodGet, "/addresses?"+v.Encode())
}

// Usage implements Operations.
func (c *Client) Usage(ctx context.Context) ([]audit.Usage, error) {
	return call[[]audit.Usage](ctx, c, http.MethodGet, "/usage")
}

// Reserve implements Operations.
func (c *Client) Reserve(ctx context.Context, r ReserveRequest) (audit.Address, error) {
	v := scoped(r.Scope)
	v.Set(forParam, r.For)
	v.Set(noteParam, r.Note)
	v.Set(duringParam, r.During.String())
	return call[audit.Address](ctx, c, http.MethodPut, addressPath(r.Address, v))
}

// Release implements Operations.
func (c *Client) Release(ctx context.Context, r ReleaseRequest) (Released, error) {
	v := scoped(r.Scope)
	v.Set(forceParam, strconv.FormatBool(r.Force))
	return call[Released](ctx, c, http.MethodDelete, addressPath(r.Address, v))
}

func addressPath(a netip.Addr, v url.Values) string {
	return "/addresses/" + url.PathEscape(a.String()) + "?" + v.Encode()
}

// Audit implements Operations.
func (c *Client) Audit(ctx context.Context, r AuditRequest) (AuditReport, error) {
	v := url.Values{}
	v.Set(nodeParam, strconv.FormatBool(r.Node))
	v.Set(repairParam, strconv.FormatBool(r.Repair))
	v.Set(dropParam, strconv.FormatBool(r.DropUnreadable))
	return call[AuditReport](ctx, c, http.MethodPost, "/audit?"+v.Encode())
}
