package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// REST speaks to a daemon's REST API from inside its host, with its own login:
// what any client written for MidoNet would send.
type REST struct {
	base  string
	token string
	http  *http.Client
}

// mediaType is the full name of a short one such as "Rule-v2".
func mediaType(short string) string { return "application/vnd.org.midonet." + short + "+json" }

// REST logs in to the daemon's API as admin.
func (d *Daemon) REST(ctx context.Context, listen netip.AddrPort) (*REST, error) {
	password, err := os.ReadFile(filepath.Join(d.DataDir(), "admin.password"))
	if err != nil {
		return nil, fmt.Errorf("read the API's password: %w", err)
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return Dial(ctx, d.Host, listen, 5*time.Second)
	}
	r := &REST{base: fmt.Sprintf("http://%s/midonet-api", listen), http: &http.Client{Transport: &http.Transport{DialContext: dial}}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.base+"/login", strings.NewReader("{}"))
	if err != nil {
		return nil, err
	}
	req.SetBasicAuth("admin", strings.TrimSpace(string(password)))
	res, err := r.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("log in: %w", err)
	}
	defer res.Body.Close()
	var token struct {
		Key string `json:"key"`
	}
	if err := json.NewDecoder(res.Body).Decode(&token); err != nil || token.Key == "" {
		return nil, fmt.Errorf("log in: %s, %w", res.Status, err)
	}
	r.token = token.Key
	return r, nil
}

// Post creates an object and returns its URI.
func (r *REST) Post(ctx context.Context, path, media string, body any) (string, error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return "", err
	}
	res, err := r.do(ctx, http.MethodPost, r.base+path, mediaType(media), raw)
	if err != nil {
		return "", err
	}
	return res.Header.Get("Location"), nil
}

// Delete deletes the object at a URI.
func (r *REST) Delete(ctx context.Context, uri string) error {
	_, err := r.do(ctx, http.MethodDelete, uri, "", nil)
	return err
}

// List returns the objects of a collection.
func (r *REST) List(ctx context.Context, path, media string) ([]map[string]any, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.base+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Auth-Token", r.token)
	req.Header.Set("Accept", mediaType("collection."+media))
	res, err := r.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: %s", path, res.Status)
	}
	var list []map[string]any
	return list, json.NewDecoder(res.Body).Decode(&list)
}

func (r *REST) do(ctx context.Context, method, uri, media string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, uri, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Auth-Token", r.token)
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	res, err := r.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 4096))
	if err != nil {
		return nil, err
	}
	if res.StatusCode >= 300 {
		return nil, fmt.Errorf("%s %s: %s: %s", method, uri, res.Status, text)
	}
	return res, nil
}
