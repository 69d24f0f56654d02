package storedtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// writeVar names the environment variable that has the sample of a version written
// which has none yet.
const writeVar = "STOREDTEST_WRITE"

// Forms are the stored forms of one version, by name.
type Forms map[string]any

// Hold compares the forms of the present version with their committed sample,
// testdata/NAME.vN.json, and has read decode those of every version from first on:
// read gets the version, the name of a form and its text.
func Hold(t *testing.T, name string, first, present int, forms Forms, read func(version int, form string, text []byte) error) {
	t.Helper()
	now, err := json.MarshalIndent(forms, "", " ")
	require.NoError(t, err)
	now = append(now, '\n')
	sample, err := os.ReadFile(path(name, present))
	if errors.Is(err, os.ErrNotExist) && os.Getenv(writeVar) != "" {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path(name, present), now, 0o644))
		sample, err = now, nil
	}
	require.NoError(t, err, "version %d of %s has no sample: write it with %s=1, and keep those of the versions before", present, name, writeVar)
	require.Equal(t, string(sample), string(now),
		"what is stored of %s is not what its version %d says: raise the version, have what was stored before read by it, and add a sample", name, present)
	for version := first; version <= present; version++ {
		for form, text := range committed(t, name, version) {
			require.NoError(t, read(version, form, text), "%s of version %d", form, version)
		}
	}
}

func path(name string, version int) string {
	return filepath.Join("testdata", fmt.Sprintf("%s.v%d.json", name, version))
}

func committed(t *testing.T, name string, version int) map[string]json.RawMessage {
	t.Helper()
	text, err := os.ReadFile(path(name, version))
	require.NoError(t, err, "the sample of version %d of %s", version, name)
	var forms map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(text, &forms))
	require.NotEmpty(t, forms)
	return forms
}

// Strictly decodes a text into v, and fails for a field that v does not have: it
// would be lost.
func Strictly(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(v)
}
