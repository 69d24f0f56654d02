package netsource

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/containernetworking/cni/pkg/utils"
	"github.com/containernetworking/cni/pkg/version"
)

// maxFile bounds a network's file, in bytes.
const maxFile = 1 << 20

// object is a JSON object whose values stay as they were written.
type object map[string]json.RawMessage

// chain is the configuration of a network: its plugins, in their order.
type chain struct {
	file    string
	list    object // without plugins
	plugins []object
}

// find is the network of the name in a folder of configurations and lists of
// them: the one file whose "name" it is, whatever the file is called. Files that
// cannot be read count only where none is found.
func find(folder fs.FS, name string) (chain, error) {
	entries, err := fs.ReadDir(folder, ".")
	if err != nil {
		return chain{}, &Error{Msg: fmt.Sprintf("network source: network %q: networkSource.networksDir: %v", name, err),
			Details: "make the folder and put the network's configuration into it"}
	}
	var found []chain
	var unread []error
	for _, e := range entries {
		if !isNetworkFile(e.Name()) {
			continue
		}
		c, named, err := read(folder, e.Name())
		switch {
		case err != nil && (named == name || named == ""):
			unread = append(unread, fmt.Errorf("%s: %w", e.Name(), err))
		case err == nil && named == name:
			found = append(found, c)
		}
	}
	failure := &Error{Details: "correct the files in networkSource.networksDir, or what the network source answers"}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		failure.Msg = fmt.Sprintf("network source: network %q is the name in %s and in %s, one file must have it", name, found[0].file, found[1].file)
	default:
		failure.Msg = fmt.Sprintf("network source: network %q is not in networkSource.networksDir: no file has this name as its \"name\"", name)
		if failure.Err = errors.Join(unread...); failure.Err != nil {
			failure.Msg += fmt.Sprintf("; unreadable: %v", failure.Err)
		}
	}
	return chain{}, failure
}

// read reads one file. named is the network's name as far as it could be read.
func read(folder fs.FS, file string) (c chain, named string, err error) {
	info, err := fs.Stat(folder, file)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no regular file")
	}
	if err != nil {
		return c, "", err
	}
	f, err := folder.Open(file)
	if err != nil {
		return c, "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("it has more than %d bytes", maxFile)
	}
	if err != nil {
		return c, "", err
	}
	c = chain{file: file}
	if err := json.Unmarshal(b, &c.list); err != nil {
		return c, "", err
	}
	if json.Unmarshal(c.list["name"], &named) != nil || utils.ValidateNetworkName(named) != nil {
		return c, "", fmt.Errorf(`"name" is %s, a network's name is wanted`, orNone(c.list["name"]))
	}
	plugins, isList := c.list["plugins"]
	if !isList { // a single configuration is a list of one
		c.plugins = []object{c.list}
		c.list = object{"cniVersion": c.list["cniVersion"], "name": c.list["name"]}
		if c.list["cniVersion"] == nil {
			delete(c.list, "cniVersion")
		}
	} else if err := json.Unmarshal(plugins, &c.plugins); err != nil {
		return c, named, fmt.Errorf("plugins: %w", err)
	}
	return c, named, errors.Join(c.spoken(), c.valid())
}

// spoken refuses a version of CNI that no plugin could be asked in, not even to
// undo something.
func (c chain) spoken() error {
	raw, is := c.list["cniVersion"]
	if !is {
		return nil // 0.1.0, or one of cniVersions
	}
	var asked string
	err := json.Unmarshal(raw, &asked)
	if err == nil && slices.Contains(version.All.SupportedVersions(), asked) {
		return nil
	}
	return fmt.Errorf("cniVersion is %s, one of %s is wanted", orNone(raw), strings.Join(version.All.SupportedVersions(), ", "))
}

// valid refuses what cannot be run, and Moat's own plugin, which would ask again.
func (c chain) valid() error {
	if len(c.plugins) == 0 {
		return errors.New("plugins is empty, at least one is wanted")
	}
	for i, p := range c.plugins {
		var plugin string
		if json.Unmarshal(p["type"], &plugin) != nil || plugin == "" || path.Base(plugin) != plugin {
			return fmt.Errorf("plugins[%d].type is %s, the name of a plugin is wanted", i, orNone(p["type"]))
		}
		if plugin == "moat-cni" {
			return fmt.Errorf("plugins[%d].type is moat-cni: the tenant's own network needs no file, the source names it %q", i, Own)
		}
	}
	return nil
}

func orNone(b json.RawMessage) string {
	if b == nil {
		return "missing"
	}
	return fmt.Sprintf("%.*s", longestQuote, b)
}

// Begun is the step with its first n plugins alone; false: that is none.
func (s Step) Begun(n int) (Step, bool, error) {
	var c chain
	if err := json.Unmarshal(s.List, &c.list); err != nil {
		return s, false, err
	}
	if err := json.Unmarshal(c.list["plugins"], &c.plugins); err != nil {
		return s, false, err
	}
	c.plugins = c.plugins[:min(n, len(c.plugins))]
	var err error
	s.List, err = c.marshal()
	return s, n > 0, err
}

// marshal is the chain as a network configuration list.
func (c chain) marshal() (json.RawMessage, error) {
	plugins, err := json.Marshal(c.plugins)
	if err != nil {
		return nil, err
	}
	list := object{"plugins": plugins}
	for k, v := range c.list {
		if k != "plugins" {
			list[k] = v
		}
	}
	return json.Marshal(list)
}

// All is every network of the folder, without wishes. Files that cannot be read
// are in the error.
func All(folder fs.FS) (all []Step, err error) {
	entries, err := fs.ReadDir(folder, ".")
	if err != nil {
		return nil, fmt.Errorf("networkSource.networksDir: %w", err)
	}
	var errs []error
	for _, e := range entries {
		if !isNetworkFile(e.Name()) {
			continue
		}
		c, name, err := read(folder, e.Name())
		s := Step{Entry: Entry{Network: name}}
		if err == nil {
			s.List, err = c.marshal()
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("networkSource.networksDir: %s: %w", e.Name(), err))
			continue
		}
		all = append(all, s)
	}
	return all, errors.Join(errs...)
}

func isNetworkFile(name string) bool {
	return slices.Contains([]string{".conf", ".json", ".conflist"}, path.Ext(name))
}
