package lab

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/invoke"
	"github.com/containernetworking/cni/pkg/types"
	types100 "github.com/containernetworking/cni/pkg/types/100"
)

// Runtime calls CNI plugins as a container runtime does, through libcni.
type Runtime struct {
	List *libcni.NetworkConfigList
	CNI  *libcni.CNIConfig
	Host *Namespace // where the plugins are started
}

// NewRuntime reads the configuration list that a daemon wrote.
func NewRuntime(conf, bin, cache string, host *Namespace) (*Runtime, error) {
	list, err := libcni.ConfListFromFile(conf)
	if err != nil {
		return nil, fmt.Errorf("read CNI configuration: %w", err)
	}
	// libcni would make this at the first call, which is a race between many.
	exec := &invoke.DefaultExec{RawExec: &invoke.RawExec{Stderr: os.Stderr}}
	return &Runtime{List: list, CNI: libcni.NewCNIConfigWithCacheDir([]string{bin}, cache, exec), Host: host}, nil
}

// Runtime is one that uses the daemon's configuration and plugins.
func (d *Daemon) Runtime() (*Runtime, error) {
	confs, err := libcni.ConfFiles(d.ConfDir(), []string{".conflist"})
	if err != nil || len(confs) != 1 {
		return nil, fmt.Errorf("CNI configuration in %s: %d files, %w", d.ConfDir(), len(confs), err)
	}
	return NewRuntime(confs[0], d.Bin, filepath.Join(d.Dir, "cache"), d.Host)
}

// Pod is a namespace that a runtime attached.
type Pod struct {
	*Namespace
	ID      string // container ID
	Tenant  string
	Result  *types100.Result
	Address netip.Addr
	Gateway netip.Addr
	Args    *libcni.RuntimeConf
}

// NewPod makes a pod's namespace; Add attaches it.
func (l *Lab) NewPod(tenant, name string) (*Pod, error) {
	n, err := l.Namespace(tenant + "-" + name)
	if err != nil {
		return nil, err
	}
	raw := make([]byte, 16)
	if _, err := rand.Read(raw); err != nil {
		return nil, err
	}
	id := hex.EncodeToString(raw)
	return &Pod{Namespace: n, ID: id, Tenant: tenant, Args: &libcni.RuntimeConf{
		ContainerID: id, NetNS: n.Path, IfName: "eth0",
		Args: [][2]string{
			{"IgnoreUnknown", "1"},
			{"K8S_POD_NAMESPACE", tenant},
			{"K8S_POD_NAME", name},
			{"K8S_POD_INFRA_CONTAINER_ID", id},
			{"K8S_POD_UID", id[:8] + "-0000-4000-8000-" + id[:12]},
		},
	}}, nil
}

// Add runs ADD for the pod.
func (r *Runtime) Add(ctx context.Context, p *Pod) error {
	return r.Host.Do(func() error {
		res, err := r.CNI.AddNetworkList(ctx, r.List, p.Args)
		if err != nil {
			return err
		}
		return p.adopt(res)
	})
}

// Del runs DEL for the pod.
func (r *Runtime) Del(ctx context.Context, p *Pod) error {
	return r.Host.Do(func() error { return r.CNI.DelNetworkList(ctx, r.List, p.Args) })
}

// Check runs CHECK for the pod.
func (r *Runtime) Check(ctx context.Context, p *Pod) error {
	return r.Host.Do(func() error { return r.CNI.CheckNetworkList(ctx, r.List, p.Args) })
}

func (p *Pod) adopt(res types.Result) error {
	result, err := types100.NewResultFromResult(res)
	if err != nil {
		return fmt.Errorf("result of ADD: %w", err)
	}
	if len(result.IPs) == 0 {
		return fmt.Errorf("result of ADD has no address")
	}
	addr, ok := netip.AddrFromSlice(result.IPs[0].Address.IP)
	if !ok {
		return fmt.Errorf("result of ADD: %s is no address", result.IPs[0].Address.IP)
	}
	gateway, _ := netip.AddrFromSlice(result.IPs[0].Gateway)
	p.Result, p.Address, p.Gateway = result, addr.Unmap(), gateway.Unmap()
	return nil
}
