package auth_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/sdn/access"
	"github.com/moatnet/moat/sdn/auth"
)

func TestTokensExpireAndAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := auth.NewPasswordAuth("u", "p", time.Minute)
		first, err := one.Login(t.Context(), access.Credentials{User: "u", Password: "p"})
		require.NoError(t, err)
		time.Sleep(59 * time.Second) // the bubble's clock
		_, err = one.Check(t.Context(), first.Key)
		require.NoError(t, err)
		time.Sleep(time.Second)
		_, err = one.Check(t.Context(), first.Key)
		require.ErrorIs(t, err, sdn.ErrUnauthorized)

		var keys []string
		for range 4097 {
			token, err := one.Login(t.Context(), access.Credentials{User: "u", Password: "p"})
			require.NoError(t, err)
			keys = append(keys, token.Key)
		}
		_, err = one.Check(t.Context(), keys[0])
		require.ErrorIs(t, err, sdn.ErrUnauthorized, "the oldest makes room")
		_, err = one.Check(t.Context(), keys[1])
		require.NoError(t, err)
		_, err = one.Check(t.Context(), keys[4096])
		require.NoError(t, err)
	})
}
