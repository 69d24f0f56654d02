package command

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLine bounds what is read of a password, in bytes.
const maxLine = 4096

// firstLine reads a line without its end.
func firstLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, maxLine)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read password: %w", err)
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", errors.New("read password: it is empty")
	}
	return line, nil
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// askHidden reads a line from a terminal that shows nothing of it. The terminal
// waits for a line as a whole, so that what is read is that line alone.
func askHidden(ctx context.Context, terminal *os.File, w io.Writer, prompt string) (string, error) {
	fd := int(terminal.Fd())
	was, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	hidden := *was
	hidden.Lflag = hidden.Lflag&^unix.ECHO | unix.ICANON | unix.ISIG
	hidden.Iflag |= unix.ICRNL
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &hidden); err != nil {
		return "", fmt.Errorf("read password: %w", err)
	}
	fmt.Fprint(w, prompt)
	line, err := "", awaitLine(ctx, fd)
	if err == nil {
		line, err = firstLine(terminal)
	}
	fmt.Fprintln(w)
	if again := unix.IoctlSetTermios(fd, unix.TCSETS, was); again != nil && err == nil {
		err = fmt.Errorf("show what is typed again: %w", again)
	}
	return line, err
}

// awaitLine returns when there is a line to read, or ctx has ended: an interrupt
// ends a context here and not the process.
func awaitLine(ctx context.Context, fd int) error {
	const patience = 100 // milliseconds
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, patience)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("read password: %w", ctx.Err())
		case n > 0:
			return nil
		case err != nil && !errors.Is(err, unix.EINTR):
			return fmt.Errorf("read password: %w", err)
		}
	}
}
