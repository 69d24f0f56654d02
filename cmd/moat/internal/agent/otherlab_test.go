package agent_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// other is an IPAM plugin of somebody else's: a script that writes down what it is
// called with, and answers as the test says.
type other struct {
	dir, log string
}

const (
	goodOffer = `{"cniVersion":"1.1.0","ips":[{"address":"10.9.0.2/24","gateway":"10.9.0.1"}],` +
		`"routes":[{"dst":"0.0.0.0/0"},{"dst":"10.7.0.0/16","gw":"10.9.0.1"}],"dns":{"nameservers":["10.9.0.53"]}}`
	versions = `{"cniVersion":"1.1.0","supportedVersions":["1.0.0","1.1.0"]}`
)

// newOther makes one; commands are shell commands by CNI command. DEL needs none.
func newOther(t *testing.T, commands vars) other {
	t.Helper()
	dir := t.TempDir()
	o := other{dir, filepath.Join(dir, "log")}
	script := "#!/bin/sh\nPATH=/usr/bin:/bin\nconf=$(cat)\necho \"$CNI_COMMAND $CNI_CONTAINERID\" | xargs >>" + o.log + "\ncase $CNI_COMMAND in\n"
	for command, does := range commands {
		script += command + ") " + does + ";;\n"
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "other"), []byte(script+"esac\n"), 0o755))
	return o
}

func says(text string) string { return "echo '" + text + "'" }

// calls are what the plugin was called with, in order.
func (o other) calls(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile(o.log)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	require.NoError(t, err)
	text := strings.TrimSpace(string(b))
	if text == "" { // it is there before its first line
		return nil
	}
	return strings.Split(text, "\n")
}

func (o other) env(n *node, changes vars) vars {
	env := n.env(changes)
	env["CNI_PATH"] = pluginDir + ":" + o.dir
	return env
}

func (n *node) otherConf(changes keys) []byte {
	conf := keys{"ipam": keys{"type": "other"}}
	for k, v := range changes {
		conf[k] = v
	}
	return n.conf(conf)
}

func (n *node) nothingLeft(t *testing.T) {
	t.Helper()
	require.Zero(t, n.service.count())
	all, err := n.records.All()
	require.NoError(t, err)
	require.Empty(t, all)
}
