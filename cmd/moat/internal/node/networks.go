package node

import (
	"os"
	"path/filepath"

	"github.com/moatnet/moat/cmd/moat/internal/agent"
	"github.com/moatnet/moat/cmd/moat/internal/netsource"
)

// networksDir is where the networks of pods that have several are recorded.
func (b *base) networksDir() string { return filepath.Join(b.cfg.DataDir, networksFolder) }

// networkSource is what says which networks pods get; nil: nothing does.
func (b *base) networkSource() (*agent.NetworkSource, error) {
	c := b.cfg.NetworkSource
	if c.URL == "" {
		return nil, nil
	}
	client, err := netsource.New(netsource.Options{
		URL: c.URL, Timeout: c.Timeout, CAFile: c.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile,
		TokenFile: c.TokenFile, Username: c.Username, PasswordFile: c.PasswordFile,
	})
	if err != nil {
		return nil, err
	}
	return &agent.NetworkSource{Ask: client.Networks, Folder: os.DirFS(c.NetworksDir), Namespaces: c.Namespaces, Required: c.Required}, nil
}
