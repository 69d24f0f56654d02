package main

import (
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"

	"go.etcd.io/etcd/server/v3/embed"
)

func main() {
	if err := serve(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(args []string) error {
	if len(args) != 5 {
		return fmt.Errorf("arguments %q: want NAME DIR CLUSTER QUOTA DISKS", args)
	}
	name, dir, cluster := args[0], args[1], args[2]
	quota, err := strconv.ParseInt(args[3], 10, 64)
	if err != nil {
		return fmt.Errorf("argument QUOTA: %w", err)
	}
	disks, err := strconv.ParseBool(args[4])
	if err != nil {
		return fmt.Errorf("argument DISKS: %w", err)
	}
	c, err := config(name, dir, cluster)
	if err != nil {
		return err
	}
	c.QuotaBackendBytes, c.UnsafeNoFsync = quota, !disks
	if disks {
		if err := slow(dir + ".late"); err != nil {
			return fmt.Errorf("be asked for each sync: %w", err)
		}
	}
	e, err := embed.StartEtcd(c)
	if err != nil {
		return err
	}
	return <-e.Err()
}

func config(name, dir, cluster string) (*embed.Config, error) {
	c := embed.NewConfig()
	c.Name, c.Dir, c.InitialCluster = name, dir, cluster
	peer, err := url.Parse(member(cluster, name))
	if err != nil {
		return nil, fmt.Errorf("argument CLUSTER: %w", err)
	}
	sock := dir + ".sock"
	if err := os.RemoveAll(sock); err != nil { // of one that was killed
		return nil, err
	}
	client := url.URL{Scheme: "unix", Path: sock}
	c.ListenClientUrls, c.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	c.ListenPeerUrls, c.AdvertisePeerUrls = []url.URL{*peer}, []url.URL{*peer}
	c.LogLevel, c.LogOutputs = "warn", []string{"stderr"}
	return c, nil
}

// member is a member's URL in "NAME=URL,NAME=URL".
func member(cluster, name string) string {
	for _, m := range strings.Split(cluster, ",") {
		if at, found := strings.CutPrefix(m, name+"="); found {
			return at
		}
	}
	return ""
}
