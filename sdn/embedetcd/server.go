package embedetcd

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.uber.org/zap"
)

// Config of an embedded server. Only Dir is required.
type Config struct {
	// Dir holds the data and the socket; it is created with mode 0700. Its
	// path may have at most 90 bytes, because a socket's path is limited to 108.
	Dir string
	// QuotaBytes bounds the database; 0 means 2 GiB.
	QuotaBytes int64
	// Revisions is how many revisions compaction keeps; 0 means 10,000.
	Revisions int
	// Logger receives etcd's own log; nil discards it.
	Logger *zap.Logger
}

// Server is a running embedded etcd.
type Server struct {
	etcd     *embed.Etcd
	client   *clientv3.Client
	endpoint string
}

// Start runs a server and waits until it serves or ctx ends.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("create etcd directory: %w", err)
	}
	if err := os.Chmod(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("protect etcd directory: %w", err)
	}
	ec, err := cfg.embed()
	if err != nil {
		return nil, err
	}
	e, err := embed.StartEtcd(ec)
	if err != nil {
		return nil, fmt.Errorf("start etcd in %s: %w", cfg.Dir, err)
	}
	s := &Server{etcd: e, endpoint: ec.ListenClientUrls[0].String()}
	select {
	case <-e.Server.ReadyNotify():
	case err := <-e.Err():
		s.Close()
		return nil, fmt.Errorf("start etcd in %s: %w", cfg.Dir, err)
	case <-ctx.Done():
		s.Close()
		return nil, fmt.Errorf("wait for etcd in %s: %w", cfg.Dir, context.Cause(ctx))
	}
	s.client = v3client.New(e.Server)
	return s, nil
}

func (cfg Config) embed() (*embed.Config, error) {
	sock := filepath.Join(cfg.Dir, "etcd.sock")
	if len(sock) > 100 {
		return nil, fmt.Errorf("etcd directory %q: path too long for a unix socket, %d bytes more than 90", cfg.Dir, len(cfg.Dir)-90)
	}
	for _, stale := range []string{sock, filepath.Join(cfg.Dir, "peer.sock")} {
		if err := os.Remove(stale); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("remove stale socket: %w", err)
		}
	}
	ec := embed.NewConfig()
	ec.Name = "moat"
	ec.Dir = filepath.Join(cfg.Dir, "data")
	client := url.URL{Scheme: "unix", Path: sock}
	peer := url.URL{Scheme: "unix", Path: filepath.Join(cfg.Dir, "peer.sock")}
	ec.ListenClientUrls, ec.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	ec.ListenPeerUrls, ec.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	ec.InitialCluster = ec.Name + "=" + peer.String()
	ec.AutoCompactionMode = "revision"
	ec.AutoCompactionRetention = "10000"
	if cfg.Revisions > 0 {
		ec.AutoCompactionRetention = fmt.Sprint(cfg.Revisions)
	}
	ec.QuotaBackendBytes = 2 << 30
	if cfg.QuotaBytes > 0 {
		ec.QuotaBackendBytes = cfg.QuotaBytes
	}
	// One member needs no patience for lost heartbeats; it elects itself.
	ec.TickMs, ec.ElectionMs = 10, 100
	logger := cfg.Logger
	if logger == nil {
		logger = zap.NewNop()
	}
	ec.ZapLoggerBuilder = embed.NewZapLoggerBuilder(logger)
	return ec, nil
}

// Client is a client of the server inside the process, closed with it: its calls
// are function calls and pass no socket.
func (s *Server) Client() *clientv3.Client { return s.client }

// NewClient makes a further client, which the caller closes.
func (s *Server) NewClient() (*clientv3.Client, error) {
	c, err := clientv3.New(clientv3.Config{
		Endpoints:   []string{s.endpoint},
		DialTimeout: 5 * time.Second,
		Logger:      zap.NewNop(),
	})
	if err != nil {
		return nil, fmt.Errorf("dial embedded etcd: %w", err)
	}
	return c, nil
}

// Endpoint is the server's client address, "unix:///…/etcd.sock".
func (s *Server) Endpoint() string { return s.endpoint }

// Err reports a failure of the running server.
func (s *Server) Err() <-chan error { return s.etcd.Err() }

// Close stops the server and its client.
func (s *Server) Close() {
	if s.client != nil {
		_ = s.client.Close()
	}
	s.etcd.Close()
}
