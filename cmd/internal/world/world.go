package world

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sys/unix"
)

// Place says where to look.
type Place struct {
	Namespaces map[string]string // network namespaces: name in the lines, and path
	NetnsDir   string            // every namespace that is pinned here is looked at
	Folders    []string          // whose files count
	Etcd       *clientv3.Client
	Prefixes   []string // of keys in etcd
	// Lasting takes out of a line what changes by itself; "": the whole line. nil
	// takes out nothing.
	Lasting func(line string) string
}

// Look writes down what there is, in order.
func (p Place) Look(ctx context.Context) ([]string, error) {
	var all []string
	paths := map[string]string{}
	for name, path := range p.Namespaces {
		paths[name] = path
	}
	pinned, err := os.ReadDir(p.NetnsDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range pinned {
		all = append(all, "namespace "+e.Name())
		paths[e.Name()] = filepath.Join(p.NetnsDir, e.Name())
	}
	for name, path := range paths {
		lines, err := within(path, kernel)
		if err != nil {
			return nil, fmt.Errorf("look into namespace %s: %w", name, err)
		}
		for _, l := range lines {
			all = append(all, name+": "+l)
		}
	}
	for _, look := range []func(context.Context) ([]string, error){p.files, p.keys} {
		lines, err := look(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, lines...)
	}
	if p.Lasting != nil {
		for i, l := range all {
			all[i] = p.Lasting(l)
		}
		all = slices.DeleteFunc(all, func(l string) bool { return l == "" })
	}
	slices.Sort(all)
	return all, nil
}

// Differences are the lines that only one of two looks has, with a sign.
func Differences(before, now []string) []string {
	var diff []string
	for _, l := range before {
		if _, found := slices.BinarySearch(now, l); !found {
			diff = append(diff, "- "+l)
		}
	}
	for _, l := range now {
		if _, found := slices.BinarySearch(before, l); !found {
			diff = append(diff, "+ "+l)
		}
	}
	return diff
}

// within runs f on a thread in the network namespace at path; the thread ends
// with it.
func within(path string, f func() ([]string, error)) ([]string, error) {
	ns, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	type looked struct {
		lines []string
		err   error
	}
	done := make(chan looked, 1)
	go func() {
		runtime.LockOSThread()
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- looked{nil, err}
			return
		}
		lines, err := f()
		done <- looked{lines, err}
	}()
	l := <-done
	return l.lines, l.err
}

func (p Place) files(context.Context) (lines []string, err error) {
	for _, folder := range p.Folders {
		err := filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || e.IsDir() {
				return err
			}
			info, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil // it went since the folder was read
			}
			if err != nil {
				return err
			}
			lines = append(lines, fmt.Sprintf("file %s %s", path, info.Mode()))
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("list files: %w", err)
		}
	}
	return lines, nil
}

func (p Place) keys(ctx context.Context) (lines []string, err error) {
	for _, prefix := range p.Prefixes {
		res, err := p.Etcd.Get(ctx, prefix, clientv3.WithPrefix())
		if err != nil {
			return nil, fmt.Errorf("read etcd: %w", err)
		}
		for _, kv := range res.Kvs {
			lines = append(lines, "key "+string(kv.Key)+" "+strings.ReplaceAll(string(kv.Value), "\n", " "))
		}
	}
	return lines, nil
}
