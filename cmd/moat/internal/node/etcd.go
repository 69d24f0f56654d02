package node

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/moatnet/moat/cmd/moat/internal/config"
	"github.com/moatnet/moat/sdn/effect/etcdeffect"
	"github.com/moatnet/moat/sdn/embedetcd"
)

// store is an open etcd, embedded or external.
type store struct {
	client *clientv3.Client
	where  string       // for people: endpoints, or "embedded in DIR"
	err    <-chan error // a failure of the embedded server; nil for an external one
	close  func()
	usage  func() embedetcd.Usage // nil: external
}

func openStore(ctx context.Context, c config.Config, log *slog.Logger) (*store, error) {
	if len(c.Etcd.Endpoints) > 0 {
		return dialStore(ctx, c.Etcd)
	}
	dir := etcdDir(c)
	s, err := embedetcd.Start(ctx, embedetcd.Config{Dir: dir, QuotaBytes: c.EtcdQuota, Revisions: c.EtcdRevision, Log: log})
	if err != nil {
		return nil, err
	}
	etcdeffect.Wrap(s.Client())
	if err := refuseForeignStore(ctx, s.Client(), c.Etcd.Prefix); err != nil {
		s.Close()
		return nil, fmt.Errorf("etcd in %s: %w", dir, err)
	}
	return &store{client: s.Client(), where: "embedded in " + dir, err: s.Err(), close: s.Close, usage: s.Usage}, nil
}

func etcdDir(c config.Config) string { return filepath.Join(c.DataDir, "etcd") }

const (
	// dialTimeout bounds the first contact with an external etcd.
	dialTimeout = 5 * time.Second
	// pingAfter is after which time without a word a member is asked whether it is
	// there, and pingPatience how long it has to say so: who does not is given up, and
	// watches go on elsewhere, or when it is back. gRPC allows no less than 10 s.
	pingAfter    = 10 * time.Second
	pingPatience = 3 * time.Second
)

func dialStore(ctx context.Context, c config.Etcd) (*store, error) {
	cfg := clientv3.Config{Endpoints: c.Endpoints, DialTimeout: dialTimeout, DialKeepAliveTime: pingAfter, DialKeepAliveTimeout: pingPatience,
		Username: c.Username, Logger: zap.NewNop(), DialOptions: []grpc.DialOption{grpc.WithChainUnaryInterceptor(elsewhere)}}
	var err error
	if cfg.TLS, err = etcdTLS(c); err != nil {
		return nil, err
	}
	if c.PasswordFile != "" {
		if cfg.Password, err = readSecret(c.PasswordFile); err != nil {
			return nil, err
		}
	}
	client, err := clientv3.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("etcd at %s: %w", strings.Join(c.Endpoints, ","), whyNot(ctx, cfg, err))
	}
	etcdeffect.Wrap(client)
	probe, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if _, err := client.Get(probe, c.Prefix); err != nil {
		_ = client.Close()
		return nil, fmt.Errorf("read from etcd at %s: %w", strings.Join(c.Endpoints, ","), whyNot(ctx, cfg, err))
	}
	return &store{client: client, where: strings.Join(c.Endpoints, ","), close: func() { _ = client.Close() }}, nil
}

// whyNot adds to the error of a client that ran out of time what it kept to
// itself: why no connection came about.
func whyNot(ctx context.Context, cfg clientv3.Config, err error) error {
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	known := false
	for _, endpoint := range cfg.Endpoints {
		if cause := connect(ctx, endpoint, cfg.TLS); cause != nil {
			err = fmt.Errorf("%w: %s: %w", err, endpoint, cause)
			known = true
		}
	}
	if !known {
		err = fmt.Errorf("no answer within %s: %w", dialTimeout, err)
	}
	return err
}

// connect opens a connection as gRPC does and waits for the server's first byte:
// a server that refuses the client's certificate says so behind the handshake.
func connect(ctx context.Context, endpoint string, t *tls.Config) error {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return err
	}
	var c net.Conn
	if u.Scheme != "https" {
		if speaksTLS(ctx, u.Host) {
			return fmt.Errorf("the server speaks TLS, the endpoint says http: write https://%s and give --etcd-ca", u.Host)
		}
		c, err = new(net.Dialer).DialContext(ctx, "tcp", u.Host)
	} else {
		if t == nil {
			t = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		t = t.Clone()
		t.NextProtos = []string{"h2"}
		c, err = (&tls.Dialer{Config: t}).DialContext(ctx, "tcp", u.Host)
	}
	if errors.As(err, new(tls.RecordHeaderError)) {
		return fmt.Errorf("the server does not speak TLS, the endpoint says https: write http://%s (%w)", u.Host, err)
	}
	if err != nil {
		return err
	}
	defer c.Close()
	if err := c.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err := c.Read(make([]byte, 1)); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return nil
}

// speaksTLS says whether a server answers a TLS handshake, be it by refusing it.
// Whose certificate it has does not matter here: nothing is sent to it.
func speaksTLS(ctx context.Context, address string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	d := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}}
	c, err := d.DialContext(ctx, "tcp", address)
	if err == nil {
		_ = c.Close()
	}
	var refused *net.OpError
	return err == nil || errors.As(err, &refused) && refused.Op == "remote error" // a TLS alert
}

func etcdTLS(c config.Etcd) (*tls.Config, error) {
	if c.CAFile == "" && c.CertFile == "" {
		return nil, nil
	}
	info := transport.TLSInfo{CertFile: c.CertFile, KeyFile: c.KeyFile, TrustedCAFile: c.CAFile}
	t, err := info.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("etcd TLS files: %w", err)
	}
	return t, nil
}

// readSecret reads a file that must not be open to others.
func readSecret(path string) (string, error) {
	if err := private(path); err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	secret := strings.TrimSpace(string(b))
	if secret == "" {
		return "", fmt.Errorf("secret %s is empty", path)
	}
	return secret, nil
}

// private returns an error for a file that others than its owner may read.
func private(path string) error {
	st, err := os.Stat(path)
	if err != nil {
		return err
	}
	if st.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("%s is open to others: its mode is %04o, want 0600", path, st.Mode().Perm())
	}
	return nil
}

// refuseForeignStore keeps a data directory that was copied, or mounted, from
// another machine from being used: its topology is of interfaces elsewhere.
func refuseForeignStore(ctx context.Context, c *clientv3.Client, prefix string) error {
	machine, err := machineID()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, etcdPatience)
	defer cancel()
	key := prefix + machineKey
	res, err := c.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("read the store's machine: %w", err)
	}
	if len(res.Kvs) == 0 { // this process has the store to itself
		if _, err := c.Put(ctx, key, machine); err != nil {
			return fmt.Errorf("record the store's machine: %w", err)
		}
		return nil
	}
	if string(res.Kvs[0].Value) != machine {
		return errors.New("the store belongs to another machine; for several machines give an external etcd with --etcd-endpoints")
	}
	return nil
}

// machineID identifies the machine: machine-id(5), or the host's name where
// there is none.
func machineID() (string, error) {
	for _, path := range []string{"/etc/machine-id", "/var/lib/dbus/machine-id"} {
		if b, err := os.ReadFile(path); err == nil && len(strings.TrimSpace(string(b))) > 0 {
			return strings.TrimSpace(string(b)), nil
		}
	}
	name, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("identify the machine: %w", err)
	}
	return name, nil
}
