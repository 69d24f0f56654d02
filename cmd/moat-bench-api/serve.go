package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
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

// serve runs etcd below dir and the API over it until stop is called. The URL
// is that of the base.
func serve(ctx context.Context, dir string) (url string, stop func() error, err error) {
	var undo []func() error
	stop = func() error {
		var errs []error
		for i := len(undo) - 1; i >= 0; i-- {
			errs = append(errs, undo[i]())
		}
		return errors.Join(errs...)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, stop())
		}
	}()
	data, err := os.MkdirTemp(dir, ".bench")
	if err != nil {
		return "", nil, fmt.Errorf("make a folder for etcd: %w", err)
	}
	undo = append(undo, func() error { return os.RemoveAll(data) })
	etcd, err := embedetcd.Start(ctx, embedetcd.Config{Dir: data})
	if err != nil {
		return "", nil, err
	}
	undo = append(undo, func() error { etcd.Close(); return nil })
	top, err := topology.OpenEtcd(ctx, etcd.Client(), topology.Options{Prefix: "/bench/", Check: filter.Check})
	if err != nil {
		return "", nil, fmt.Errorf("open the topology: %w", err)
	}
	undo = append(undo, top.Close)
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listen: %w", err)
	}
	handler := server.New(server.Options{API: top, Auth: auth.NewPasswordAuth(user, password, tokenTTL)})
	srv := server.NewHTTPServer(handler, server.Limits{})
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	undo = append(undo, func() error {
		if err := errors.Join(srv.Close(), <-served); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	return "http://" + l.Addr().String() + server.DefaultBase, stop, nil
}
