package doctor

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/moatnet/moat/cmd/moat/internal/config"
	"github.com/moatnet/moat/sdn/client"
)

// login looks whether the daemon's own REST API lets its admin in.
func (x *examination) login(ctx context.Context) error {
	c := x.Config
	if len(c.Endpoint.URLs) > 0 {
		return nil // the daemon's status is about that one
	}
	if x.status == nil {
		return errAway
	}
	d := net.Dialer{Timeout: 3 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", c.Listen)
	if err != nil {
		x.found(fmt.Sprintf("the REST API does not answer at listen: %s: %v", c.Listen, err), "clients cannot see or change tenants' networks", "compare the key listen of the configuration with that of the running daemon, and restart moat up")
		return nil
	}
	_ = conn.Close()
	if c.TLS.ClientCAFile != "" {
		return nil // it wants a client's certificate, and this program has none
	}
	file := filepath.Join(c.DataDir, "admin.password")
	password, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the password of admin: %w", err)
	}
	url, verify, err := own(c)
	if err != nil {
		return err
	}
	api, err := client.New(client.Options{Endpoints: []string{url}, User: "admin", TLS: verify,
		Password: strings.TrimSpace(string(password)), Timeout: 10 * time.Second, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer api.Close()
	_, err = api.Hosts(ctx)
	var served *otherCertificateError
	switch {
	case errors.As(err, &served):
		x.found(fmt.Sprintf("the REST API at %s: %v", c.Listen, served), "clients that trust the file's certificate only are refused, or trust what has ended", "see the daemon's log for why it does not take "+c.TLS.CertFile+", or restart moat up")
	case err != nil:
		x.found(fmt.Sprintf("the REST API at %s does not let admin in with the password in %s: %v", c.Listen, file, err),
			"commands and clients that use this password fail", "restart moat up: it reads the file when it starts")
	}
	return nil
}

// own is where this node's REST API is asked, and how it proves with TLS that it is
// the one: not by a name, but by the certificate that the configuration names.
func own(c config.Config) (url string, verify *tls.Config, err error) {
	if c.TLS.CertFile == "" {
		return "http://" + c.Listen + "/midonet-api", nil, nil
	}
	text, err := os.ReadFile(c.TLS.CertFile)
	if err != nil {
		return "", nil, fmt.Errorf("tls.certFile: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return "", nil, fmt.Errorf("tls.certFile: %s holds no PEM block", c.TLS.CertFile)
	}
	return "https://" + c.Listen + "/midonet-api", &tls.Config{
		InsecureSkipVerify: true, // instead, the certificate itself is compared
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 || !bytes.Equal(s.PeerCertificates[0].Raw, block.Bytes) {
				return &otherCertificateError{c.TLS.CertFile}
			}
			return nil
		},
	}, nil
}

// otherCertificateError says that a server shows a certificate that is not the
// first in a file.
type otherCertificateError struct{ file string }

func (e *otherCertificateError) Error() string {
	return "it shows another certificate than the first one in tls.certFile " + e.file
}
