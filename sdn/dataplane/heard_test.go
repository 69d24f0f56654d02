package dataplane_test

import (
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/stretchr/testify/require"
)

func TestWhatIsRemovedAfterAPassThatNobodyHeardComesBack(t *testing.T) {
	l := newLab(t)
	red := l.tenant("red", "10.1.0.1/24")
	e := l.engine(l.config)
	_, err := e.Pass(t.Context()) // nobody hears what it announces
	require.NoError(t, err)
	require.Equal(t, 3, l.tables(red))
	l.start(e)
	l.within(red, func() error {
		c, err := nftables.New()
		if err != nil {
			return err
		}
		c.FlushRuleset()
		return c.Flush()
	})
	require.Eventually(t, func() bool { return l.tables(red) == 3 }, 15*time.Second, 10*time.Millisecond)
}
