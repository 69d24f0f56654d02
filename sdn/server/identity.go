package server

import (
	"context"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/access"
)

// identityKey is the context key of who stands behind a request's token.
type identityKey struct{}

func withIdentity(ctx context.Context, who access.Identity) context.Context {
	return context.WithValue(ctx, identityKey{}, who)
}

func identityOf(ctx context.Context) access.Identity {
	who, _ := ctx.Value(identityKey{}).(access.Identity)
	return who
}

// apiOf is the topology as an identity may use it. Handlers reach it through
// their call and no other way.
func (s *server) apiOf(who access.Identity) sdn.API { return access.For(s.api, who) }
