package shim

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// memoryFile is a file that lies in memory alone.
func memoryFile() (*os.File, error) {
	fd, err := unix.MemfdCreate(handover, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memfd: %w", err)
	}
	return os.NewFile(uintptr(fd), handover), nil
}
