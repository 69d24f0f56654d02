package e2e

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// Secrets of every kind, used well and badly, with the log at its most talkative:
// they are in what they were configured by, and nowhere else.
func TestSecretsAreNowhereButInTheirFiles(t *testing.T) {
	const admin, operator, wrong = "adm1n-correct-horse-battery", "0perator-staple-of-the-stable", "wr0ng-and-yet-secret-password"
	n, etcd := newHostWithEtcd(t)
	require.NoError(t, os.MkdirAll(filepath.Join(n.lab.Dir, "data"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(n.lab.Dir, "data", "admin.password"), []byte(admin+"\n"), 0o600))
	n.start("--etcd-endpoints", etcd, "--log-level", "debug")
	n.addUser("opal", operator)
	agent := n.agent("a", etcd)
	p, err := n.lab.NewPod("red", "one")
	require.NoError(t, err)
	require.NoError(t, agent.Add(t.Context(), p))

	said := &bytes.Buffer{}
	tokens := []string{}
	for user, password := range map[string]string{"admin": admin, "opal": operator} {
		require.Eventually(t, func() bool {
			token := n.login(said, user, password)
			tokens = append(tokens, token)
			return token != ""
		}, 30*time.Second, 100*time.Millisecond, "the password of %s is taken", user)
	}
	require.Empty(t, n.login(said, "admin", wrong))
	require.Empty(t, n.login(said, "nobody", wrong))
	n.get(said, "/routers", tokens[len(tokens)-1])
	n.get(said, "/routers", wrong)
	n.get(said, "/nonsense?"+"password=x", tokens[len(tokens)-1])
	said.WriteString(n.cli("status") + n.cli("tenant", "show", "red", "-o", "json"))
	processes := n.processes()
	require.NoError(t, agent.Del(t.Context(), p))

	secrets := []string{admin, operator, wrong}
	for _, token := range tokens {
		if token != "" {
			secrets = append(secrets, token)
		}
	}
	places := n.written(etcd)
	places["answers"], places["processes"] = said.Bytes(), processes
	for place, content := range places {
		if strings.HasSuffix(place, "/admin.password") {
			continue
		}
		for _, secret := range secrets {
			require.False(t, bytes.Contains(content, []byte(secret)), "%q is in %s", secret, place)
		}
	}
	require.Contains(t, string(places[n.daemon.LogFile()]), "level=DEBUG", "the log was read")
	require.Contains(t, string(processes), "--log-level", "the processes' arguments were read")
	n.cli("tenant", "delete", "red")
}

// addUser adds a user as an operator does, with the password on standard input.
func (n *node) addUser(name, password string) {
	n.t.Helper()
	cmd := exec.CommandContext(n.t.Context(), filepath.Join(bin, "moat"), "user", "add", name, "--role", "admin", "--data-dir", n.daemon.DataDir())
	cmd.Stdin = strings.NewReader(password + "\n")
	out, err := cmd.CombinedOutput()
	require.NoError(n.t, err, "%s", out)
	require.NotContains(n.t, string(out), password)
}

// login returns the token of a session, "" where there is none; what the API says
// otherwise goes to said.
func (n *node) login(said io.Writer, user, password string) string {
	n.t.Helper()
	status, header, body := n.ask(http.MethodPost, "/login", func(r *http.Request) { r.SetBasicAuth(user, password) })
	if status != http.StatusOK {
		_, _ = said.Write(body)
		return ""
	}
	token, _, _ := strings.Cut(strings.TrimPrefix(header.Get("Set-Cookie"), "sessionId="), ";")
	require.NotEmpty(n.t, token)
	return token
}

func (n *node) get(said io.Writer, path, token string) {
	n.t.Helper()
	_, _, body := n.ask(http.MethodGet, path, func(r *http.Request) { r.Header.Set("X-Auth-Token", token) })
	_, _ = said.Write(body)
}

func (n *node) ask(method, path string, with func(*http.Request)) (int, http.Header, []byte) {
	n.t.Helper()
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return lab.Dial(ctx, n.host, listen, answered)
	}
	client := &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(n.t.Context(), method, "http://"+listen.String()+"/midonet-api"+path, strings.NewReader("{}"))
	require.NoError(n.t, err)
	with(req)
	res, err := client.Do(req)
	require.NoError(n.t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(n.t, err)
	return res.StatusCode, res.Header, body
}

// processes are the arguments and environments of all processes of Moat's.
func (n *node) processes() (all []byte) {
	n.t.Helper()
	found, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(n.t, err)
	for _, p := range found {
		arguments, err := os.ReadFile(filepath.Join(p, "cmdline"))
		if err != nil || !bytes.Contains(arguments, []byte(n.lab.Dir)) {
			continue
		}
		environment, _ := os.ReadFile(filepath.Join(p, "environ"))
		all = append(append(append(all, arguments...), 0), environment...)
	}
	return all
}

// keepsSecret requires that a secret of the daemon, whose log tells all, is in no file of
// the lab but the one at path, and in no process's arguments or environment.
func (n *node) keepsSecret(secret, path string) {
	n.t.Helper()
	places := n.files()
	require.Contains(n.t, string(places[n.daemon.LogFile()]), `msg="CNI call"`, "the log was read")
	delete(places, path)
	places["processes"] = n.processes()
	for place, content := range places {
		require.False(n.t, bytes.Contains(content, []byte(secret)), "%q is in %s", secret, place)
	}
}

// written is all that there is in files of the lab and in etcd.
func (n *node) written(etcd string) map[string][]byte {
	n.t.Helper()
	all := n.files()
	keys, err := newRecords(n.t, etcd).client.Get(n.t.Context(), "\x00", clientv3.WithFromKey())
	require.NoError(n.t, err)
	require.NotEmpty(n.t, keys.Kvs)
	for _, kv := range keys.Kvs {
		all["etcd "+string(kv.Key)] = kv.Value
	}
	return all
}

// files are those of the lab, by their paths.
func (n *node) files() map[string][]byte {
	n.t.Helper()
	all := map[string][]byte{}
	require.NoError(n.t, filepath.WalkDir(n.lab.Dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && filepath.Dir(path) != n.daemon.NetnsDir() {
			all[path], err = os.ReadFile(path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the daemon has removed it since
		}
		return err
	}))
	return all
}

// What the daemon keeps is its user's alone; its socket its group's too.
func TestFilesAreTheDaemonsAlone(t *testing.T) {
	n := newNode(t)
	n.pod("red", "one")
	require.NoError(t, n.daemon.Kill())
	require.NoError(t, n.daemon.Start(t.Context()))
	kinds := map[fs.FileMode]int{}
	require.NoError(t, filepath.WalkDir(n.daemon.DataDir(), func(path string, e fs.DirEntry, err error) error {
		var info fs.FileInfo
		if err == nil {
			info, err = e.Info()
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the daemon has removed it since
		}
		if err != nil {
			return err
		}
		kinds[info.Mode().Type()]++
		if info.Mode().IsRegular() {
			require.Equal(t, "600", strconv.FormatInt(int64(info.Mode().Perm()), 8), path)
		}
		if info.IsDir() {
			require.Equal(t, "700", strconv.FormatInt(int64(info.Mode().Perm()), 8), path)
		}
		return nil
	}))
	require.Greater(t, kinds[0], 3, "files")
	require.Greater(t, kinds[fs.ModeDir], 1, "folders")
	for path, mode := range map[string]fs.FileMode{n.daemon.Socket(): 0o660, n.daemon.Socket() + ".control": 0o600, n.daemon.DataDir(): 0o700} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), path)
	}
}
