package holdings

import (
	"context"
	"log/slog"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
)

type partly struct{ *restored }

func (p partly) Attachments(context.Context, string, string) (recs []ipam.Record, err error) {
	for _, b := range []string{"1", "2", "3", "4", "5", "6", "7", "8"} {
		rec := p.rec
		rec.Bridge, rec.Port = b, "p"+b
		recs = append(recs, rec)
	}
	return recs, nil
}

func (p partly) Ports(_ context.Context, d sdn.DeviceID) ([]sdn.Port, error) {
	if d > "4" {
		return nil, sdn.ErrUnavailable
	}
	return nil, nil
}

// TestAnSDNThatAnswersPartly has some bridges' ports listed and others refused.
func TestAnSDNThatAnswersPartly(t *testing.T) {
	r, _ := newRestored(t)
	p := partly{r}
	restorer := &Restorer{Store: p, Ports: p, Maker: quiet{}, Node: "n", Pods: Pods{BootID: "boot"}, Log: slog.New(slog.DiscardHandler)}
	require.ErrorIs(t, restorer.Sweep(t.Context()), sdn.ErrUnavailable)
}

type quiet struct{}

func (quiet) Restore(context.Context, ipam.Record, *os.File) (bool, error) {
	return true, sdn.ErrConflict
}
