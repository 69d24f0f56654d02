package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/internal/protocol"
	"github.com/moatnet/moat/cmd/internal/shim"
	"github.com/moatnet/moat/cmd/moat/internal/agent"
	"github.com/moatnet/moat/cmd/moat/internal/config"
)

// maxConf bounds a network configuration, in bytes; GC lists are the longest.
const maxConf = 8 << 20

// Standalone answers one CNI call, as the environment and stdin put it, over the
// etcd and the endpoint of the credentials file that the network configuration
// names. It returns the process's exit status.
func Standalone(ctx context.Context, stdin io.Reader, stdout, stderr io.Writer) int {
	conf, err := io.ReadAll(io.LimitReader(stdin, maxConf))
	if err != nil {
		conf = nil // the plugin says that the configuration cannot be read
	}
	p := shim.Plugin{
		About:  "moat cni: one CNI call without a daemon; moat-cni starts it",
		Caller: protocol.CallerCNI,
		Getenv: os.Getenv, Environ: os.Environ, Stdin: bytes.NewReader(conf), Stdout: stdout, Stderr: stderr,
		Connect: func(_ cniconf.Head, timeout time.Duration) (shim.Daemon, error) {
			c, err := credentials(conf)
			if err != nil {
				return refusal{err}, nil
			}
			return openInProcess(ctx, c, timeout, slog.New(slog.NewTextHandler(stderr, nil)))
		},
	}
	return p.Run(ctx)
}

// refusal answers every call with what is wrong with the configuration: trying
// again would not help.
type refusal struct{ err error }

func (r refusal) Call(_ context.Context, asked protocol.Request, _ protocol.Runner) (protocol.Reply, error) {
	return protocol.Reply{Failure: &cniconf.Error{Code: cniconf.CodeConfig,
		Msg:     fmt.Sprintf("%s: standalone mode: %v", asked.Env.Subject(), r.err),
		Details: "correct the network configuration or the credentials file that it names"}}, nil
}

func (refusal) Received() error { return nil }
func (refusal) Close() error    { return nil }

// inProcess is an agent that lives as long as one call.
type inProcess struct {
	*agent.Direct
	base   *base
	cancel context.CancelFunc
}

func openInProcess(ctx context.Context, c config.Config, timeout time.Duration, log *slog.Logger) (*inProcess, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	b, err := openShared(ctx, c, log, helper)
	if err != nil {
		cancel()
		return nil, err
	}
	a, err := b.passingAgent()
	if err != nil {
		cancel()
		b.close()
		return nil, err
	}
	return &inProcess{Direct: a.Direct(ctx), base: b, cancel: cancel}, nil
}

// passingAgent is an agent for one call. It asks the API server itself, where
// annotations are read, and follows nothing.
func (b *base) passingAgent() (*agent.Agent, error) {
	m, _, err := b.remoteManager()
	if err != nil {
		return nil, err
	}
	o, _, err := b.agentOptions()
	if err != nil {
		return nil, err
	}
	o.Service = m
	return agent.New(o)
}

// Close undoes what the runtime did not hear of, and frees everything.
func (p *inProcess) Close() error {
	defer p.cancel()
	defer p.base.close()
	return p.Direct.Close()
}

// credentials reads the file that a network configuration names.
func credentials(conf []byte) (config.Config, error) {
	var named struct {
		Credentials string `json:"credentials"`
	}
	if err := json.Unmarshal(conf, &named); err != nil {
		return config.Config{}, fmt.Errorf("network configuration: %w", err)
	}
	if named.Credentials == "" {
		return config.Config{}, errors.New(`network configuration: "standalone" needs "credentials", a file that names endpoint and etcd`)
	}
	if err := private(named.Credentials); err != nil {
		return config.Config{}, fmt.Errorf("credentials: %w", err)
	}
	raw, err := config.Defaults().ReadFile(named.Credentials)
	if err != nil {
		return config.Config{}, err
	}
	missing := ""
	switch {
	case len(raw.Etcd.Endpoints) == 0:
		missing = "etcd.endpoints"
	case len(raw.Endpoint.URLs) == 0:
		missing = "endpoint.urls"
	case raw.Endpoint.PasswordFile == "":
		missing = "endpoint.passwordFile"
	}
	if missing != "" {
		return config.Config{}, fmt.Errorf("credentials %s: %s is needed", named.Credentials, missing)
	}
	return raw.Valid()
}
