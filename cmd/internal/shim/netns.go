package shim

import (
	"fmt"
	"syscall"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/internal/protocol"
)

const (
	ownNetns  = "/proc/self/ns/net"
	nsfsMagic = 0x6e736673 // NSFS_MAGIC, linux/magic.h
)

// openNetns opens the pod's namespace. DEL does without one: a namespace that is
// gone, or was never given, must not keep an attachment from being removed.
func openNetns(env cniconf.Env) (int, *cniconf.Error) {
	switch env.Command {
	case cniconf.GC, cniconf.Status:
		return protocol.NoNetns, nil
	case cniconf.Del:
		if fd, failure := openOther(env); failure == nil {
			return fd, nil
		}
		return protocol.NoNetns, nil
	default:
		return openOther(env)
	}
}

// openOther opens CNI_NETNS, which must be a network namespace and not the
// plugin's own.
func openOther(env cniconf.Env) (int, *cniconf.Error) {
	fd, err := syscall.Open(env.Netns, syscall.O_RDONLY|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if err != nil {
		return protocol.NoNetns, netnsError(env, fmt.Sprintf("open network namespace %s: %v", env.Netns, err))
	}
	var fs syscall.Statfs_t
	if err := syscall.Fstatfs(fd, &fs); err != nil || int64(fs.Type) != nsfsMagic {
		syscall.Close(fd)
		return protocol.NoNetns, netnsError(env, env.Netns+" is no network namespace")
	}
	var pod, own syscall.Stat_t
	if err := syscall.Fstat(fd, &pod); err == nil {
		err = syscall.Stat(ownNetns, &own)
		if err == nil && pod.Dev == own.Dev && pod.Ino == own.Ino && !env.OwnNetnsAllowed() {
			syscall.Close(fd)
			return protocol.NoNetns, netnsError(env, "plugin's netns and netns from CNI_NETNS should not be the same")
		}
	}
	return fd, nil
}

func netnsError(env cniconf.Env, cause string) *cniconf.Error {
	return &cniconf.Error{Code: cniconf.CodeNetns, Msg: env.Subject() + ": " + cause,
		Details: "CNI_NETNS must name the pod's network namespace"}
}
