package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"time"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/internal/protocol"
	"github.com/moatnet/moat/cmd/internal/shim"
)

func main() {
	p := shim.Plugin{
		About:  "moat-ipam: the address management of Moat as a CNI IPAM plugin",
		Caller: protocol.CallerIPAM,
		Getenv: os.Getenv, Environ: os.Environ, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Connect: connect,
		Standalone: func([]byte) error {
			return errors.New("moat-ipam always needs the daemon")
		},
	}
	os.Exit(p.Run(context.Background()))
}

// connect uses the socket of the "ipam" section: what stands beside it is the
// main plugin's.
func connect(h cniconf.Head, timeout time.Duration) (shim.Daemon, error) {
	h.Socket = cmp.Or(h.IPAM.Socket, cniconf.DefaultSocket)
	return shim.Dial(h, timeout)
}
