package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	types100 "github.com/containernetworking/cni/pkg/types/100"
	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/internal/lab"
	"github.com/moatnet/moat/cmd/internal/protocol"
	"github.com/moatnet/moat/cmd/internal/shim"
)

const (
	// undisturbed is the limit of calls that nothing disturbs.
	undisturbed = time.Minute
	// lateness is how much longer than its limit a call takes at most; with short it is
	// less than what the daemon gives a store.
	lateness = 200 * time.Millisecond
)

// answer is what a runtime learns of a call.
type answer struct {
	out  []byte
	err  *cniconf.Error // nil: success
	took time.Duration
}

// limited is a daemon that has a time limit of the test's for each call.
type limited struct {
	shim.Daemon
	limit time.Duration
}

func (l limited) Call(ctx context.Context, r protocol.Request, run protocol.Runner) (protocol.Reply, error) {
	r.Timeout = l.limit
	return l.Daemon.Call(ctx, r, run)
}

// form is what a runtime gives with a call beside the pod.
type form struct {
	noNetns bool       // CNI_NETNS is empty
	prev    bool       // prevResult comes with it
	valid   []*lab.Pod // of GC
}

// call runs the plugin's code as a runtime has the plugin run.
func (s *site) call(command string, p *lab.Pod, limit time.Duration, f form) answer {
	s.t.Helper()
	conf := s.conf(command, p, f)
	env := s.env(command, p, f)
	var out bytes.Buffer
	plugin := shim.Plugin{
		About: "the plugin in a test", Caller: protocol.CallerCNI,
		Getenv:  func(name string) string { return env[name] },
		Environ: os.Environ, Stdin: bytes.NewReader(conf), Stdout: &out, Stderr: io.Discard,
		Connect: func(h cniconf.Head, timeout time.Duration) (shim.Daemon, error) {
			d, err := shim.Dial(h, timeout)
			return limited{d, limit}, err
		},
	}
	begun := time.Now()
	status := plugin.Run(context.WithoutCancel(s.t.Context()))
	a := answer{out: out.Bytes(), took: time.Since(begun)}
	if status != 0 {
		a.err = &cniconf.Error{}
		require.NoError(s.t, json.Unmarshal(a.out, a.err), "%s", a.out)
	}
	return a
}

// conf is the plugin's entry of the list that the daemon wrote, as a runtime
// passes it on.
func (s *site) conf(command string, p *lab.Pod, f form) []byte {
	rt, err := s.daemon.Runtime()
	require.NoError(s.t, err)
	var conf map[string]any
	require.NoError(s.t, json.Unmarshal(rt.List.Plugins[0].Bytes, &conf))
	conf["name"], conf["cniVersion"] = rt.List.Name, rt.List.CNIVersion
	if f.prev {
		conf["prevResult"] = p.Result
	}
	if command == "GC" {
		list := []map[string]string{}
		for _, v := range f.valid {
			list = append(list, map[string]string{"containerID": v.ID, "ifname": "eth0"})
		}
		conf["cni.dev/valid-attachments"] = list
	}
	raw, err := json.Marshal(conf)
	require.NoError(s.t, err)
	return raw
}

func (s *site) env(command string, p *lab.Pod, f form) map[string]string {
	env := map[string]string{"CNI_COMMAND": command, "CNI_PATH": bin}
	if p == nil {
		return env
	}
	args := make([]string, 0, len(p.Args.Args))
	for _, kv := range p.Args.Args {
		args = append(args, kv[0]+"="+kv[1])
	}
	env["CNI_CONTAINERID"], env["CNI_IFNAME"], env["CNI_ARGS"] = p.ID, "eth0", strings.Join(args, ";")
	if !f.noNetns {
		env["CNI_NETNS"] = p.Path
	}
	return env
}

// adopt reads what ADD answered.
func (s *site) adopt(p *lab.Pod, a answer) {
	s.t.Helper()
	p.Result = &types100.Result{}
	require.NoError(s.t, json.Unmarshal(a.out, p.Result))
	require.Len(s.t, p.Result.IPs, 1)
	gateway, ok := addr(p.Result.IPs[0].Gateway)
	require.True(s.t, ok)
	p.Gateway = gateway
	p.Address, _ = addr(p.Result.IPs[0].Address.IP)
}

// add is an ADD that nothing disturbs.
func (s *site) add(p *lab.Pod) {
	s.t.Helper()
	a := s.call("ADD", p, undisturbed, form{})
	require.Nil(s.t, a.err)
	s.adopt(p, a)
	s.reaches(p)
}

func (s *site) reaches(p *lab.Pod) {
	s.t.Helper()
	require.NoError(s.t, lab.Ping(p.Namespace, p.Gateway, 20*time.Second))
	if s.keep != nil && p.Tenant == s.keep.Tenant {
		require.NoError(s.t, lab.Ping(p.Namespace, s.keep.Address, 20*time.Second))
	}
}

// until repeats a call as a runtime does that is told to try again.
func (s *site) until(command string, p *lab.Pod, f form) answer {
	s.t.Helper()
	var a answer
	require.Eventually(s.t, func() bool {
		a = s.call(command, p, undisturbed, f)
		if a.err != nil {
			require.Equal(s.t, cniconf.CodeTryAgain, a.err.Code, "%s: %s", command, a.err)
		}
		return a.err == nil
	}, 2*sweep, 100*time.Millisecond, "%s goes on failing", command)
	return a
}

// deleted does what runtimes do when a pod ends, after a DEL that may have failed:
// DEL until it succeeds, and two more that know nothing any more.
func (s *site) deleted(p *lab.Pod, f form) {
	s.t.Helper()
	s.until("DEL", p, f)
	require.NoError(s.t, p.Remove())
	for range 2 {
		a := s.call("DEL", p, undisturbed, form{noNetns: true})
		require.Nil(s.t, a.err)
		require.Empty(s.t, a.out)
	}
}

func addr(ip net.IP) (netip.Addr, bool) {
	a, ok := netip.AddrFromSlice(ip)
	return a.Unmap(), ok
}
