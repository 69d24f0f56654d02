package lab

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
)

// What Uplinked makes: the host, and what is outside, at the two ends of a cable.
var (
	HostAddr    = netip.MustParsePrefix("192.0.2.10/24")
	OutsideAddr = netip.MustParsePrefix("192.0.2.1/24")
	everywhere  = netip.MustParsePrefix("0.0.0.0/0")
)

// Uplinked makes a host that forwards and whose default route leads outside.
func (l *Lab) Uplinked() (host, outside *Namespace, err error) {
	if host, err = l.Namespace("host"); err != nil {
		return nil, nil, err
	}
	if outside, err = l.Namespace("outside"); err != nil {
		return nil, nil, err
	}
	err = l.Cable(End{In: host, Interface: "eth0", Address: HostAddr}, End{In: outside, Interface: "eth0", Address: OutsideAddr})
	if err != nil {
		return nil, nil, err
	}
	if err := host.Route(everywhere, OutsideAddr.Addr()); err != nil {
		return nil, nil, err
	}
	return host, outside, host.Sysctl("net/ipv4/ip_forward", "1")
}

// Build builds programs of Moat, packages below cmd, with go build's args into a new
// temporary folder, which the caller removes. They are static, as the released ones
// are, but for those with the race detector.
func Build(args []string, programs ...string) (dir string, err error) {
	if dir, err = os.MkdirTemp("", "moat-programs-"); err != nil {
		return "", err
	}
	args = append(append([]string{"build"}, args...), "-o", dir+"/")
	for _, p := range programs {
		args = append(args, "github.com/moatnet/moat/cmd/"+p)
	}
	build, cgo := exec.Command("go", args...), "0"
	if slices.Contains(args, "-race") {
		cgo = "1"
	}
	build.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
	if out, err := build.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("build the programs: %w\n%s", err, out), os.RemoveAll(dir))
	}
	return dir, nil
}
