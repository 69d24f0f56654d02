package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/sdn/auth"
	"github.com/moatnet/moat/sdn/embedetcd"
	"github.com/moatnet/moat/sdn/filter"
	"github.com/moatnet/moat/sdn/server"
	"github.com/moatnet/moat/sdn/topology"
)

const (
	user     = "bench"
	password = "bench"
	tokenTTL = 24 * time.Hour
)

// onDisk refuses a folder where fsync costs nothing.
func onDisk(dir string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("--dir %s: %w", dir, err)
	}
	switch fs.Type {
	case unix.TMPFS_MAGIC, unix.RAMFS_MAGIC:
		return fmt.Errorf("--dir %s is in memory (tmpfs), where fsync costs nothing; name a folder on a disk", dir)
	}
	return nil
}

// installation is an etcd with two topologies, one for few objects and one for
// many, each behind a server of its own.
type installation struct {
	few, many string // URLs of the bases
	undo      []func() error
}

// install runs all of it until stop is called.
func install(ctx context.Context, dir string) (i *installation, err error) {
	i = &installation{}
	defer func() {
		if err != nil {
			err = errors.Join(err, i.stop())
		}
	}()
	data, err := os.MkdirTemp(dir, ".bench")
	if err != nil {
		return nil, fmt.Errorf("make a folder for etcd: %w", err)
	}
	i.later(func() error { return os.RemoveAll(data) })
	etcd, err := embedetcd.Start(ctx, embedetcd.Config{Dir: data})
	if err != nil {
		return nil, err
	}
	i.later(func() error { etcd.Close(); return nil })
	who := auth.NewPasswordAuth(user, password, tokenTTL)
	for prefix, url := range map[string]*string{"/few/": &i.few, "/many/": &i.many} {
		top, err := topology.OpenEtcd(ctx, etcd.Client(), topology.Options{Prefix: prefix, Check: filter.Check})
		if err != nil {
			return nil, fmt.Errorf("open the topology: %w", err)
		}
		i.later(top.Close)
		if *url, err = i.serve(ctx, server.New(server.Options{API: top, Auth: who})); err != nil {
			return nil, err
		}
	}
	return i, nil
}

// serve answers on a port of the loopback.
func (i *installation) serve(ctx context.Context, h http.Handler) (url string, err error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listen: %w", err)
	}
	srv := server.NewHTTPServer(h, server.Limits{})
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	i.later(func() error {
		if err := errors.Join(srv.Close(), <-served); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	return "http://" + l.Addr().String() + server.DefaultBase, nil
}

func (i *installation) later(undo func() error) { i.undo = append(i.undo, undo) }

// stop ends everything, the last first.
func (i *installation) stop() error {
	var errs []error
	for _, undo := range slices.Backward(i.undo) {
		errs = append(errs, undo())
	}
	return errors.Join(errs...)
}
