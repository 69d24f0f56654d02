package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/moatnet/moat/cmd/moat/internal/config"
	"github.com/moatnet/moat/cmd/moat/internal/control"
	"github.com/moatnet/moat/sdn/client"
)

// Direct runs f with operations of this process, over the endpoint and the etcd
// that c names.
func Direct(ctx context.Context, c config.Config, log *slog.Logger, f func(control.Operations) error) error {
	b, err := openElsewhere(ctx, c, log)
	if err != nil {
		return err
	}
	defer b.close()
	m, api, err := b.remoteManager()
	if err != nil {
		return err
	}
	return f(direct{operations{m, api}, b.newAddresses(m, api, false), b})
}

// direct is the operations without a daemon.
type direct struct {
	operations
	addresses
	*base
}

// Status implements control.Operations.
func (d direct) Status(ctx context.Context) (control.Status, error) {
	st := control.Status{Ready: true, Installation: d.plan.ID, Name: d.plan.Name, Version: Version,
		Listen: d.cfg.Endpoint.URLs[0], Etcd: d.store.where}
	check := d.manager.Status
	if d.host == "" {
		check = d.anyHost
	}
	if err := check(ctx); err != nil {
		st.Ready, st.Reason = false, err.Error()
	}
	st.Warnings = append(d.store.warnings(ctx), d.keptWarnings(ctx)...)
	return st, nil
}

// anyHost returns nil when a host of the installation could attach pods.
func (d direct) anyHost(ctx context.Context) error {
	hosts, err := d.api.Hosts(ctx)
	if err != nil {
		return err
	}
	for _, h := range hosts {
		if h.Alive {
			return nil
		}
	}
	return fmt.Errorf("none of %d hosts has a living engine", len(hosts))
}

// TakeDown implements control.Operations.
func (direct) TakeDown(context.Context, bool) error {
	return errors.New("only a daemon can take an installation down; ask it at its --socket")
}

// newClient makes a client of a REST API; its password is read from a file.
func newClient(e config.Endpoint, log *slog.Logger) (*client.Client, error) {
	if e.PasswordFile == "" {
		return nil, errors.New("--endpoint needs --password-file")
	}
	password, err := readSecret(e.PasswordFile)
	if err != nil {
		return nil, err
	}
	o := client.Options{Endpoints: e.URLs, User: e.Username, Password: password, Project: e.Project, Logger: log}
	if o.TLS, err = endpointTLS(e); err != nil {
		return nil, err
	}
	return client.New(o)
}

// endpointTLS is nil where nothing is said of certificates. The client's own is
// read for each connection, so that a new one is used without a restart.
func endpointTLS(e config.Endpoint) (*tls.Config, error) {
	if e.CAFile == "" && e.CertFile == "" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if e.CAFile != "" {
		pool, err := readCAs(e.CAFile)
		if err != nil {
			return nil, fmt.Errorf("endpoint's CA certificates: %w", err)
		}
		c.RootCAs = pool
	}
	if e.CertFile != "" {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(e.CertFile, e.KeyFile)
			return &pair, err
		}
		if _, err := c.GetClientCertificate(nil); err != nil {
			return nil, fmt.Errorf("client certificate for the endpoint: %w", err)
		}
	}
	return c, nil
}

func readCAs(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("none in %s", path)
	}
	return pool, nil
}
