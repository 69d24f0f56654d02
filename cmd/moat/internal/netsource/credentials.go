package netsource

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

// maxSecret bounds a file with a secret, in bytes.
const maxSecret = 64 << 10

// tlsConfig verifies the source by the CA file or the system's, and shows it the
// client's certificate, which is read for each connection.
func tlsConfig(o Options) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("networkSource.caFile: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("networkSource.caFile: no certificate in %s, one in PEM is wanted", o.CAFile)
		}
	}
	if o.CertFile != "" {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
			if err != nil {
				return nil, fmt.Errorf("networkSource.certFile %s with keyFile %s: %w", o.CertFile, o.KeyFile, err)
			}
			return &pair, nil
		}
		if _, err := c.GetClientCertificate(nil); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// authorise puts the credentials into a request.
func (c *Client) authorise(r *http.Request) error {
	switch {
	case c.opt.TokenFile != "":
		token, err := secret(c.opt.TokenFile)
		if err != nil {
			return fmt.Errorf("networkSource.tokenFile: %w", err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
	case c.opt.PasswordFile != "":
		password, err := secret(c.opt.PasswordFile)
		if err != nil {
			return fmt.Errorf("networkSource.passwordFile: %w", err)
		}
		r.SetBasicAuth(c.opt.Username, password)
	}
	return nil
}

// secret reads the one line of a file that others than its owner may not read.
func secret(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%s is open to others: its mode is %04o, want 0600", path, info.Mode().Perm())
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(b))
	switch {
	case text == "":
		err = errors.New("is empty")
	case len(b) > maxSecret:
		err = fmt.Errorf("has more than %d bytes", maxSecret)
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }):
		err = errors.New("has control characters or more than one line")
	}
	if err != nil {
		return "", fmt.Errorf("%s %w", path, err)
	}
	return text, nil
}
