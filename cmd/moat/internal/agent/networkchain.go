package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/types"
	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/containernetworking/cni/pkg/version"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/moat/internal/netsource"
)

// chain is one network of others for one call: the reference library says what
// its plugins are told and in which order, and the call's runner runs them.
type chain struct {
	list    *libcni.NetworkConfigList
	rt      *libcni.RuntimeConf
	cni     *libcni.CNIConfig
	plugins *pluginExec
}

// chain is that of a step for this call. What its plugins answered is kept in
// the folder.
func (c *call) chain(s netsource.Step, args, folder string) (chain, error) {
	list, err := libcni.NetworkConfFromBytes(s.List)
	if err != nil {
		return chain{}, fmt.Errorf("network %q: %w", s.Network, err)
	}
	env := c.request.Env
	env.IfName, env.Args = s.IfName, argsFor(s, args)
	rt := &libcni.RuntimeConf{ContainerID: env.ContainerID, NetNS: env.Netns, IfName: s.IfName}
	if rt.CapabilityArgs, err = c.capabilities(s); err != nil {
		return chain{}, err
	}
	exec := &pluginExec{delegates: delegates{env, c.others.runner}}
	return chain{list, rt, libcni.NewCNIConfigWithCacheDir(filepath.SplitList(env.Path), folder, exec), exec}, nil
}

// argsFor is CNI_ARGS for a network. Wishes for an address or a MAC are for the
// master, where the network source has none of its own. Its gateway reaches Moat's
// IPAM plugin this way.
func argsFor(s netsource.Step, args string) string {
	var kept []string
	for pair := range strings.SplitSeq(args, ";") {
		key, _, _ := strings.Cut(pair, "=")
		wish := (key == "IP" || key == "GATEWAY") && (!s.Master || s.Address.IsValid()) || key == "MAC" && (!s.Master || s.MAC != "")
		if pair != "" && !wish {
			kept = append(kept, pair)
		}
	}
	if s.Leased && s.Gateway.IsValid() {
		kept = append(kept, "GATEWAY="+s.Gateway.String())
	}
	return strings.Join(kept, ";")
}

// capabilities are the runtime's wishes, for the master, and the network source's.
func (c *call) capabilities(s netsource.Step) (map[string]any, error) {
	var conf struct {
		RuntimeConfig map[string]any `json:"runtimeConfig"`
	}
	if err := json.Unmarshal(c.request.Config, &conf); err != nil {
		return nil, decodeError(err)
	}
	all := map[string]any{}
	if s.Master {
		maps.Copy(all, conf.RuntimeConfig)
	}
	if s.Address.IsValid() {
		delete(all, "ips")
	}
	if s.MAC != "" {
		all["mac"] = s.MAC
	}
	return all, nil
}

// add makes the network. ran is how many of its plugins ran, whatever became of
// them.
func (c chain) add(ctx context.Context) (result *types100.Result, ran int, err error) {
	r, err := c.cni.AddNetworkList(ctx, c.list, c.rt)
	if err == nil {
		result, err = types100.NewResultFromResult(r)
	}
	return result, c.plugins.ran, err
}

func (c chain) del(ctx context.Context) error { return c.cni.DelNetworkList(ctx, c.list, c.rt) }

// check asks the plugins. What they cannot say, because the network's version of
// CNI has no CHECK, is libcni.ErrorCheckNotSupp.
func (c chain) check(ctx context.Context) error { return c.cni.CheckNetworkList(ctx, c.list, c.rt) }

// made is what add returned, as it was kept.
func (c chain) made() (*types100.Result, error) {
	r, err := c.cni.GetNetworkListCachedResult(c.list, c.rt)
	if err == nil && r == nil {
		err = errors.New("its result is not kept")
	}
	if err != nil {
		return nil, err
	}
	return types100.NewResultFromResult(r)
}

// collect forwards GC, where the network's version of CNI has it and its
// configuration wants it.
func (c chain) collect(ctx context.Context, valid []types.GCAttachment) error {
	if has, err := version.GreaterThanOrEqualTo(c.list.CNIVersion, "1.1.0"); err != nil || !has || c.list.DisableGC {
		return err
	}
	keys := map[string]any{"name": c.list.Name, "cniVersion": c.list.CNIVersion, keyValid: valid, keyValidOlder: valid}
	var errs []error
	for _, p := range c.list.Plugins {
		conf, err := libcni.InjectConf(p, keys)
		if err == nil {
			_, err = c.plugins.run(ctx, delegation{plugin: p.Network.Type, command: cniconf.GC, config: conf.Bytes})
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// pluginExec is how the reference library runs plugins here.
type pluginExec struct {
	version.PluginDecoder
	delegates
	ran int // plugins that were started
}

// FindInPath leaves the search to who runs the plugin, in whose surroundings
// CNI_PATH has its meaning.
func (*pluginExec) FindInPath(plugin string, _ []string) (string, error) { return plugin, nil }

// ExecPlugin runs a plugin with the command in environ.
func (e *pluginExec) ExecPlugin(ctx context.Context, plugin string, stdin []byte, environ []string) ([]byte, error) {
	command := ""
	for _, pair := range environ {
		if value, is := strings.CutPrefix(pair, "CNI_COMMAND="); is {
			command = value
		}
	}
	out, err := e.run(ctx, delegation{plugin: plugin, command: command, config: stdin})
	if never := (unstarted{}); !errors.As(err, &never) {
		e.ran++
	}
	return out, err
}

// networkFailure says in which network a plugin failed.
func networkFailure(subject string, s netsource.Step, err error) *cniconf.Error {
	failure := &cniconf.Error{Code: cniconf.CodeIO, Msg: err.Error(), Details: "see what the network's plugins say of themselves"}
	var own *cniconf.Error
	switch {
	case errors.As(err, &own):
		failure.Code, failure.Msg, failure.Details = own.Code, own.Msg, own.Details
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		failure.Code, failure.Details = cniconf.CodeTryAgain, "the call took too long or was given up; the runtime may try again"
	}
	failure.Msg = fmt.Sprintf("%s: network %q, interface %s: %s", subject, s.Network, s.IfName, failure.Msg)
	return failure
}
