package doctor

import (
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
)

// cni looks whether runtimes use the configuration that the daemon wrote.
func (x *examination) cni(context.Context) error {
	if x.ConfList == "" {
		return nil
	}
	text, err := os.ReadFile(x.ConfList)
	if errors.Is(err, fs.ErrNotExist) {
		x.found(x.ConfList+" is not there", "the runtime has no network for pods, or another one", "moat up writes it when it is ready: restart it, or see moat status")
		return nil
	}
	if err != nil {
		return fmt.Errorf("cniConfDir: %w", err)
	}
	var list struct {
		Plugins []struct {
			Type, Socket string
		}
	}
	if err := json.Unmarshal(text, &list); err != nil || len(list.Plugins) == 0 {
		x.found(fmt.Sprintf("%s is not a CNI configuration list: %v", x.ConfList, err), "the runtime cannot use it", "restart moat up, which writes it anew")
	} else if p := list.Plugins[0]; p.Type == "moat-cni" && p.Socket != "" && p.Socket != x.Config.Socket {
		x.found(fmt.Sprintf("%s names the socket %s, and the daemon's (key socket) is %s", x.ConfList, p.Socket, x.Config.Socket), "pods are attached by another daemon, or by none", "restart moat up, which writes it anew")
	}
	return x.shadowed()
}

// shadowed looks for a configuration that runtimes prefer: the first by name.
func (x *examination) shadowed() error {
	dir := filepath.Dir(x.ConfList)
	files, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("cniConfDir: %w", err)
	}
	for _, f := range files { // in the order of names
		if f.Name() == filepath.Base(x.ConfList) {
			return nil
		}
		if !f.IsDir() && slices.Contains([]string{".conf", ".conflist", ".json"}, filepath.Ext(f.Name())) {
			path := filepath.Join(dir, f.Name())
			x.found(path+" comes before "+filepath.Base(x.ConfList), "the runtime attaches pods to that network and not to Moat's", "mv "+path+" "+path+".disabled")
		}
	}
	return nil
}

// plugins looks whether the plugins are of the same build as this program.
func (x *examination) plugins(context.Context) error {
	own, ok := debug.ReadBuildInfo()
	if !ok {
		return errors.New("this program does not know how it was built")
	}
	for _, name := range []string{"moat-cni", "moat-ipam"} {
		path := filepath.Join(x.PluginDir, name)
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			x.found(path+" is not there", "the runtime cannot attach pods", "install -m 755 bin/"+name+" "+path)
			continue
		}
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o111 == 0 {
			x.found(path+" is not executable", "the runtime cannot attach pods", "chmod 755 "+path)
		}
		built, err := buildinfo.ReadFile(path)
		if err != nil {
			x.found(fmt.Sprintf("%s is not a program of Moat's: %v", path, err), "the runtime cannot attach pods", "install -m 755 bin/"+name+" "+path)
			continue
		}
		if have, want := version(built), version(own); have != want {
			x.found(fmt.Sprintf("%s is version %s, and this program is %s", path, have, want), "what one of them knows the other may not", "install -m 755 bin/"+name+" "+path)
		}
	}
	return nil
}

// version is what tells one build's sources from another's.
func version(b *debug.BuildInfo) string {
	v := b.Main.Version
	for _, s := range b.Settings {
		if s.Key == "vcs.revision" {
			v += " " + s.Value
		}
	}
	return v
}
