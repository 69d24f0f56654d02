package embedetcd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3client"
	"go.uber.org/zap"

	"github.com/moatnet/moat/sdn/effect"
)

// Config of an embedded server. Only Dir is required.
type Config struct {
	// Dir holds the data and the socket; it is created with mode 0700. Its
	// path may have at most 90 bytes, because a socket's path is limited to 108.
	Dir string
	// QuotaBytes bounds the database; 0 means 2 GiB.
	QuotaBytes int64
	// Revisions is how many revisions compaction keeps at least while space is not
	// short, and about twice as many at most; 0 means 10,000.
	Revisions int
	// Logger receives etcd's own log; nil discards it, but for the last words of an etcd
	// that ends its process, which Log hears.
	Logger *zap.Logger
	// Log hears when the database was full, or was defragmented; nil discards it.
	Log *slog.Logger
}

const (
	defaultQuota     = 2 << 30
	defaultRevisions = 10_000
	// defragAtStart is how many MiB must be free in the database for it to be
	// defragmented before it serves, which takes about a second for 100 MiB in use.
	defragAtStart = 256
)

// Server is a running embedded etcd.
type Server struct {
	etcd     *embed.Etcd
	client   *clientv3.Client
	endpoint string
	keeper   *keeper
	stop     context.CancelFunc // of the keeper
	task     sync.WaitGroup
	closing  sync.Once
}

// Start runs a server and waits until it serves or ctx ends.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	err := effect.Do(effect.File, "create the folder of etcd", func() error {
		return errors.Join(os.MkdirAll(cfg.Dir, 0o700), os.Chmod(cfg.Dir, 0o700))
	})
	if err != nil {
		return nil, fmt.Errorf("create etcd directory: %w", err)
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
	s.keeper = cfg.keeper(s)
	if err := s.keeper.look(ctx); err != nil { // it may have been full when it ended
		s.Close()
		return nil, fmt.Errorf("start etcd in %s: %w", cfg.Dir, err)
	}
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.task.Go(func() { s.keeper.run(ctx) })
	return s, nil
}

func (cfg Config) keeper(s *Server) *keeper {
	k := &keeper{server: s.etcd.Server, client: s.client, keep: int64(cfg.Revisions), quota: s.etcd.Server.Cfg.QuotaBackendBytes, log: cfg.hearer(), dir: s.etcd.Server.Cfg.DataDir}
	if k.keep <= 0 {
		k.keep = defaultRevisions
	}
	return k
}

func (cfg Config) hearer() *slog.Logger {
	if cfg.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return cfg.Log
}

func (cfg Config) embed() (*embed.Config, error) {
	sock := filepath.Join(cfg.Dir, "etcd.sock")
	if len(sock) > 100 {
		return nil, fmt.Errorf("etcd directory %q: path too long for a unix socket, %d bytes more than 90", cfg.Dir, len(cfg.Dir)-90)
	}
	for _, stale := range []string{sock, filepath.Join(cfg.Dir, "peer.sock")} {
		err := effect.Do(effect.File, "remove a dead socket of etcd", func() error { return os.Remove(stale) })
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("remove stale socket: %w", err)
		}
	}
	ec := embed.NewConfig()
	ec.Name = "moat"
	ec.Dir = filepath.Join(cfg.Dir, "data")
	client := url.URL{Scheme: "unix", Path: sock}
	peer := url.URL{Scheme: "unix", Path: filepath.Join(cfg.Dir, "peer.sock")}
	ec.ListenClientUrls, ec.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	// For peers etcd listens at a URL's host alone: without one at an abstract socket,
	// which everybody in the network namespace may connect to.
	ec.ListenPeerUrls, ec.AdvertisePeerUrls = []url.URL{{Scheme: "unix", Host: peer.Path}}, []url.URL{peer}
	ec.InitialCluster = ec.Name + "=" + peer.String()
	ec.AutoCompactionRetention = "0" // the keeper compacts
	ec.BootstrapDefragThresholdMegabytes = defragAtStart
	ec.QuotaBackendBytes = defaultQuota
	if cfg.QuotaBytes > 0 {
		ec.QuotaBackendBytes = cfg.QuotaBytes
	}
	// One member needs no patience for lost heartbeats; it elects itself.
	ec.TickMs, ec.ElectionMs = 10, 100
	logger := cfg.Logger
	if logger == nil {
		logger = zap.New(lastWords{to: cfg.hearer(), dir: cfg.Dir})
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

// Usage is how much of its quota the database takes, in bytes.
type Usage struct {
	// InUse grows with what is stored, and at first with what is overwritten.
	InUse int64
	// Size is InUse and what is free to be used again; at Quota etcd refuses all
	// writes but deletions, until the server has made room.
	Size  int64
	Quota int64
	// Full: it refuses them now.
	Full bool
	// Free is what the disk of the database has left. An etcd that finds none when it
	// writes ends its process.
	Free int64
}

// Usage returns how much room there is. It does not wait for anything.
func (s *Server) Usage() Usage {
	u := Usage{Quota: s.keeper.quota, Full: s.keeper.full(), Free: s.keeper.free.Load()}
	u.Size, u.InUse = s.keeper.sizes()
	return u
}

// Err reports a failure of the running server.
func (s *Server) Err() <-chan error { return s.etcd.Err() }

// Close stops the server and its client. Repeated, it does nothing.
func (s *Server) Close() { s.closing.Do(s.close) }

func (s *Server) close() {
	if s.stop != nil {
		s.stop()
		s.task.Wait()
	}
	if s.client != nil {
		_ = s.client.Close()
	}
	s.etcd.Close()
}
