package auth

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/sdn/storedtest"
)

// The users file has one form since there is one; people write it by hand, too.
func TestTheFormOfAUserIsKept(t *testing.T) {
	one := storedtest.Filled[User]()
	storedtest.Hold(t, "user", 1, 1, storedtest.Forms{"line": one}, func(_ int, _ string, text []byte) error {
		var got User
		err := storedtest.Strictly(text, &got)
		require.Equal(t, one, got)
		return err
	})
}

// A field that this program does not know may take rights away: the file is refused,
// and left as it is.
func TestAUserOfANewerProgramIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "users")
	newer := `{"name":"ann","hash":"h","role":"admin","until":"2027"}` + "\n"
	require.NoError(t, os.WriteFile(path, []byte(newer), 0o600))
	_, err := ReadUsers(path)
	require.ErrorContains(t, err, path+": line 1")
	require.ErrorContains(t, err, `"until"`)
	require.Error(t, RemoveUser(path, "ann"))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, newer, string(text))
}
