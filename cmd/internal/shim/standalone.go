package shim

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/cmd/internal/protocol"
)

// handover is what the file that carries standard input is called in /proc.
const handover = "moat-cni-stdin"

// Dial is a Plugin's Connect for the daemon's socket.
func Dial(h cniconf.Head, timeout time.Duration) (Daemon, error) {
	return protocol.Dial(h.Socket, timeout)
}

// ReplaceByMoat turns the process into "moat cni", found beside the plugin's own
// program, with the same environment and with stdin, which was read, again as
// standard input. It returns only if that cannot be.
func ReplaceByMoat(stdin []byte) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the plugin's own folder: %w", err)
	}
	moat := filepath.Join(filepath.Dir(self), "moat")
	if _, err := os.Stat(moat); err != nil {
		return err
	}
	if err := giveStdin(stdin); err != nil {
		return fmt.Errorf("hand over standard input: %w", err)
	}
	return fmt.Errorf("start %s: %w", moat, syscall.Exec(moat, []string{"moat", "cni"}, os.Environ()))
}

// giveStdin makes descriptor 0 a file in memory that holds b.
func giveStdin(b []byte) error {
	f, err := memoryFile()
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(b); err != nil {
		return err
	}
	if _, err := f.Seek(0, 0); err != nil {
		return err
	}
	return syscall.Dup3(int(f.Fd()), 0, 0)
}
