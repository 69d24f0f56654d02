package main

import (
	"context"
	"os"

	"github.com/moatnet/moat/cmd/internal/protocol"
	"github.com/moatnet/moat/cmd/internal/shim"
)

func main() {
	p := shim.Plugin{
		About:  "moat-cni: the CNI plugin of Moat, which gives each namespace a network of its own",
		Caller: protocol.CallerCNI,
		Getenv: os.Getenv, Environ: os.Environ, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Connect:    shim.Dial,
		Standalone: shim.ReplaceByMoat,
	}
	os.Exit(p.Run(context.Background()))
}
