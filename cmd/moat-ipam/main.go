package main

import (
	"errors"
	"os"

	"github.com/moatnet/moat/cmd/internal/protocol"
	"github.com/moatnet/moat/cmd/internal/shim"
)

func main() {
	p := shim.Plugin{
		About:  "moat-ipam: the address management of Moat as a CNI IPAM plugin",
		Caller: protocol.CallerIPAM,
		Getenv: os.Getenv, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Connect: shim.Dial,
		Standalone: func([]byte) error {
			return errors.New("moat-ipam always needs the daemon")
		},
	}
	os.Exit(p.Run())
}
