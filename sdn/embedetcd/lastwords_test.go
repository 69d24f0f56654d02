package embedetcd

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/moatnet/moat/sdn/sdntest/heard"
)

// Of all that etcd says only why it ends the process is passed on.
func TestLastWordsAlone(t *testing.T) {
	said := &heard.Log{}
	z := zap.New(lastWords{to: said.Logger(), dir: "/data/etcd"})
	z.Error("something", zap.Error(errors.New("no matter")))
	require.Empty(t, said.String())
	require.Panics(t, func() {
		z.With(zap.String("member", "a")).Panic("cannot commit tx", zap.Error(errors.New("no space left on device")))
	})
	require.Contains(t, said.String(), `etcd="cannot commit tx" dir=/data/etcd cause="no space left on device"`)
}
