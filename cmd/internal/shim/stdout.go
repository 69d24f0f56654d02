package shim

import (
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/moatnet/moat/cmd/internal/cniconf"
)

// printing are the commands whose result is what they print.
var printing = []string{cniconf.Add, cniconf.Version}

// unheard refuses a command whose result nobody could read.
func (p *Plugin) unheard(env cniconf.Env) *cniconf.Error {
	if !slices.Contains(printing, env.Command) || !closed(p.Stdout) {
		return nil
	}
	return &cniconf.Error{Code: cniconf.CodeIO, Msg: env.Subject() + ": standard output is closed",
		Details: "the result is printed there; nothing was done"}
}

// closed says whether the process was started without a descriptor for w. Go's
// runtime puts /dev/null there then, open for reading too, as no redirection of
// output is.
func closed(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != unix.Mkdev(1, 3) {
		return false
	}
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_ACCMODE == unix.O_RDWR
}
