package backup

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func sample() Backup {
	return Backup{
		Header: Header{Program: "0.1.0", Created: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), Installation: "i", Name: "moat", Node: "n", Revision: 7},
		Keys:   []Key{{"sdn/meta/schema", []byte(`{"object":3}`)}, {"ipam/v1/addresses/red/010.0.0.2", []byte("attachments/…")}, {"empty", nil}},
		Files:  []File{{"admin.password", []byte("secret\n")}, {"delegations/a.json", []byte{0, 1, 2, '\n'}}},
	}
}

func write(t *testing.T, text []byte) string {
	path := filepath.Join(t.TempDir(), "b")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	return path
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	b := sample()
	text, err := b.Encode()
	require.NoError(t, err)
	got, err := Read(write(t, text))
	require.NoError(t, err)
	require.Equal(t, b.Header, got.Header)
	require.Equal(t, b.Sum, got.Sum)
	require.Len(t, got.Keys, 3)
	require.Equal(t, b.Keys[:2], got.Keys[:2])
	require.Empty(t, got.Keys[2].Value)
	require.Equal(t, b.Files, got.Files)
}

// Wherever a file is cut short, and whichever byte is another, it is refused, and
// no secret is in the reason.
func TestADamagedFileIsRefused(t *testing.T) {
	b := sample()
	text, err := b.Encode()
	require.NoError(t, err)
	for n := range len(text) - 1 { // the last byte is the end of the line
		_, err := Read(write(t, text[:n]))
		require.ErrorIs(t, err, ErrDamaged, "cut after %d bytes", n)
		require.NotContains(t, err.Error(), "c2VjcmV0")
	}
	for n := range len(text) - 1 {
		broken := bytes.Clone(text)
		broken[n] ^= 1
		_, err := parse(broken)
		require.Error(t, err, "byte %d", n)
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	reseal := func(change func(*Backup)) []byte {
		b := sample()
		change(&b)
		text, err := b.Encode()
		require.NoError(t, err)
		return text
	}
	newer := strings.Replace(string(reseal(func(*Backup) {})), `"version":1`, `"version":2`, 1)
	_, err := parse([]byte(newer))
	require.ErrorIs(t, err, ErrNewer)
	require.ErrorContains(t, err, "version 2")
	require.ErrorContains(t, err, "this program knows 1")
	for _, path := range []string{"../etc/shadow", "/etc/shadow", "a/../../b", ".", "", "a//b"} {
		_, err := parse(reseal(func(b *Backup) { b.Files[0].Path = path }))
		require.ErrorIs(t, err, ErrDamaged, path)
	}
	head, _, _ := strings.Cut(string(reseal(func(*Backup) {})), "\n")
	_, err = parse([]byte(strings.TrimSuffix(head, "}") + `,"sha256":"` + sum(nil) + `"}`))
	require.ErrorIs(t, err, ErrDamaged, "a first line that is the last one, too")
	_, err = parse(nil)
	require.ErrorIs(t, err, ErrDamaged)
	_, err = Read("/nowhere/at/all")
	require.ErrorIs(t, err, os.ErrNotExist)
}
