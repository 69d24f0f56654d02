package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/internal/protocol"
	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/tenant"
)

// coded turns an error into the one that is printed.
func (c *call) coded(ctx context.Context, err error) *cniconf.Error {
	var own *cniconf.Error
	var served *tenant.Error
	failure := &cniconf.Error{Code: cniconf.CodeInternal, Msg: fmt.Sprintf("%s: %v", c.request.Env.Subject(), err),
		Details: "see the daemon's log"}
	switch {
	case errors.As(err, &own):
		failure = joined(err, own)
	case c.request.Caller == protocol.CallerIPAM && poolFailure(c.request.Env.Subject(), err) != nil:
		failure = poolFailure(c.request.Env.Subject(), err)
	case errors.As(err, &served):
		failure = &cniconf.Error{Code: cniconf.Code(served.Code), Msg: served.Msg, Details: served.Details}
	case errors.Is(err, ipam.ErrFull):
		failure.Code, failure.Details = cniconf.CodeTryAgain, tenant.AdviceFull
	case errors.Is(err, ipam.ErrUnavailable):
		failure.Code, failure.Details = cniconf.CodeTryAgain, "check that etcd is running and can be reached"
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		failure.Code = cniconf.CodeTryAgain
		failure.Details = "the call took too long or the daemon stopped; the runtime may try again"
	}
	if c.request.Env.Command == cniconf.Status && failure.Code != cniconf.CodeUnavailable && failure.Code >= cniconf.CodeTryAgain {
		failure.Code = cniconf.CodeUnavailable
	}
	return failure
}

// joined is the first of several errors, with the words of all.
func joined(err error, first *cniconf.Error) *cniconf.Error {
	several, ok := err.(interface{ Unwrap() []error })
	if !ok || len(several.Unwrap()) < 2 {
		return first
	}
	all := *first
	all.Msg, all.Details = strings.ReplaceAll(err.Error(), "\n", "; "), ""
	return &all
}

func (c *call) failure(e *cniconf.Error) protocol.Reply {
	if e.CNIVersion == "" {
		e.CNIVersion = c.head.CNIVersion
	}
	if e.CNIVersion == "" {
		e.CNIVersion = cniconf.Current
	}
	return protocol.Reply{Failure: e}
}
