package delegate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/moatnet/moat/cmd/internal/cniconf"
)

// Find returns the program of a plugin: the first of that name in the folders of
// path, which is a list as CNI_PATH. A name that is none, or that no folder has as
// an executable file, is an error of code 7.
func Find(name, path string) (string, *cniconf.Error) {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return "", &cniconf.Error{Code: cniconf.CodeConfig, Msg: fmt.Sprintf("plugin %q: this is no name of a plugin", name),
			Details: `"type" must be the name of a program in CNI_PATH, without a path`}
	}
	var unfit []error
	for _, dir := range filepath.SplitList(path) {
		if dir == "" {
			continue // it is no name of a folder here
		}
		file := filepath.Join(dir, name)
		err := executable(file)
		if err == nil {
			return file, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			unfit = append(unfit, err)
		}
	}
	cause := "there is no such program in CNI_PATH " + path
	if len(unfit) > 0 {
		cause = errors.Join(unfit...).Error()
	}
	return "", &cniconf.Error{Code: cniconf.CodeConfig, Msg: fmt.Sprintf("plugin %q: %s", name, cause),
		Details: "install the plugin on this node, or correct \"type\""}
}

// executable returns nil for a regular file that someone may execute.
func executable(file string) error {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no regular file", file)
	case info.Mode().Perm()&0o111 == 0:
		return fmt.Errorf("%s is not executable", file)
	}
	return nil
}
