package conformance

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"

	"github.com/stretchr/testify/require"
)

func pack(w *Wire, s string) string {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	require.NoError(w.t, err)
	_, err = io.WriteString(z, s)
	require.NoError(w.t, err)
	require.NoError(w.t, z.Close())
	return b.String()
}

func gzipAnswer(w *Wire) {
	r := w.router()
	a := w.call("GET", r.text("uri"), "", "Accept: "+w.type5("Router-v3"), "Accept-Encoding: gzip")
	require.Equal(w.t, "gzip", a.header.Get("Content-Encoding"))
	z, err := gzip.NewReader(strings.NewReader(a.body))
	require.NoError(w.t, err)
	body, err := io.ReadAll(z)
	require.NoError(w.t, err)
	require.Equal(w.t, r, w.object(string(body)))
	for _, refused := range []string{"identity", "gzip;q=0"} {
		a = w.call("GET", r.text("uri"), "", "Accept: */*", "Accept-Encoding: "+refused)
		require.Empty(w.t, a.header.Get("Content-Encoding"))
	}
}

func gzipRequest(w *Wire) {
	body := pack(w, w.json(dto{"name": "packed", "tenantId": w.tenant}))
	a := w.call("POST", "/chains", body, "Content-Type: "+w.type5("Chain-v1"), "Content-Encoding: gzip")
	require.Equal(w.t, 201, a.status, a.body)
	w.removeLater(a.header.Get("Location"))
	require.Equal(w.t, "packed", w.get(a.header.Get("Location"), "Chain-v1")["name"])
}
