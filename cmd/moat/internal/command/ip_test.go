package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/moat/internal/control"
	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/ipam/audit"
)

// daemon answers what a test says, and remembers what it was asked.
type daemon struct {
	control.Operations
	list     []audit.Address
	report   control.AuditReport
	released control.Released
	err      error
	asked    any
}

func (d *daemon) Addresses(_ context.Context, q control.AddressQuery) ([]audit.Address, error) {
	d.asked = q
	return d.list, d.err
}

func (d *daemon) Usage(context.Context) ([]audit.Usage, error) {
	total, free, percent := 999, 998, 0.1
	return []audit.Usage{{Scope: red, Subnet: netip.MustParsePrefix("10.128.0.0/22"), Used: 1, Total: &total, Free: &free, Percent: &percent},
		{Scope: ipam.Scope{Kind: ipam.PoolScope, Name: "lan"}, Used: 7}}, d.err
}

func (d *daemon) Reserve(_ context.Context, r control.ReserveRequest) (audit.Address, error) {
	d.asked = r
	return audit.Address{Scope: r.Scope, Address: r.Address, State: audit.Reserved, Reservation: &audit.Reservation{For: r.For, Note: r.Note}}, d.err
}

func (d *daemon) Release(_ context.Context, r control.ReleaseRequest) (control.Released, error) {
	d.asked = r
	return d.released, d.err
}

func (d *daemon) Audit(_ context.Context, r control.AuditRequest) (control.AuditReport, error) {
	d.asked = r
	return d.report, d.err
}

var red = ipam.Scope{Kind: ipam.TenantScope, Name: "red"}

// ask carries out a command line that asks d; nil: no daemon runs.
func ask(t *testing.T, d *daemon, args ...string) (out, complaint string, err error) {
	dir, err := os.MkdirTemp("", "m")
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "s")
	if d != nil {
		ctx, stop := context.WithCancel(t.Context())
		l, err := control.Listen(ctx, control.SocketFor(socket))
		require.NoError(t, err)
		ended := make(chan error, 1)
		go func() { ended <- control.Serve(ctx, l, d) }()
		defer func() { stop(); require.NoError(t, <-ended) }()
	}
	var stdout, stderr bytes.Buffer
	err = Run(t.Context(), append(args, "--socket", socket), nil, &stdout, &stderr)
	return stdout.String(), stderr.String(), err
}

func TestWrongCommandsAboutAddressesSayWhatIsRight(t *testing.T) {
	for says, args := range map[string][]string{
		`ADDRESS "10.1" is no IP address`:                               {"show", "10.1"},
		"::ffff:10.1.1.1 is an IPv4 address in IPv6 form":               {"show", "::ffff:10.1.1.1"},
		"fe80::1%eth0 has a zone":                                       {"release", "fe80::1%eth0"},
		"--tenant red and --pool lan: an address is of one of them":     {"list", "--tenant", "red", "--pool", "lan"},
		"say where it is reserved: --tenant NAME or --pool NAME":        {"reserve", "10.1.1.1"},
		`--for "web": want NAMESPACE/POD`:                               {"reserve", "10.1.1.1", "--tenant", "red", "--for", "web"},
		"--until 0s: want at least 1s":                                  {"reserve", "10.1.1.1", "--tenant", "red", "--until", "0s"},
		"--until -1h0m0s: want at least 1s":                             {"reserve", "10.1.1.1", "--tenant", "red", "--until", "-1h"},
		"no arguments were given; the command is: moat ip show ADDRESS": {"show"},
	} {
		_, complaint, err := ask(t, &daemon{}, append([]string{"ip"}, args...)...)
		require.Contains(t, complaint, says)
		require.Equal(t, 2, statusOf(t, err), says)
	}
}

func statusOf(t *testing.T, err error) int {
	if err == nil {
		return 0
	}
	var exit interface{ ExitCode() int }
	require.ErrorAs(t, err, &exit)
	return exit.ExitCode()
}

func TestExitStatusSaysNoOrThatItIsNotKnown(t *testing.T) {
	for name, c := range map[string]struct {
		daemon *daemon
		args   []string
		status int
		says   string
	}{
		"nobody has it":      {&daemon{}, []string{"show", "10.1.1.1"}, 1, "nobody holds it, and it is not reserved"},
		"no such tenant":     {&daemon{err: fmt.Errorf("tenant red: %w", control.ErrNotFound)}, []string{"list", "--tenant", "red"}, 1, "tenant red: not found"},
		"somebody has it":    {&daemon{err: fmt.Errorf("%w: web has it", control.ErrInUse)}, []string{"reserve", "10.1.1.1", "--tenant", "red"}, 1, "web has it"},
		"nothing to release": {&daemon{err: control.ErrNotFound}, []string{"release", "10.1.1.1"}, 1, "not found"},
		"etcd is away":       {&daemon{err: errors.New("store unavailable")}, []string{"show", "10.1.1.1"}, 2, "store unavailable"},
		"no daemon":          {nil, []string{"usage"}, 2, "the daemon is not running"},
		"a command of none":  {&daemon{}, []string{"lst"}, 2, "moat ip has no command"},
		"a format of none":   {&daemon{}, []string{"list", "-o", "yaml"}, 2, "want text or json"},
		"all is well":        {&daemon{}, []string{"list"}, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, complaint, err := ask(t, c.daemon, append([]string{"ip"}, c.args...)...)
			require.Equal(t, c.status, statusOf(t, err))
			require.Contains(t, complaint, c.says)
		})
	}
}

func TestAddressesAreAskedForAsTheFlagsSay(t *testing.T) {
	a := ipam.Attachment{Node: "n1", Network: "moat", ContainerID: "c1", IfName: "eth0"}
	d := &daemon{list: []audit.Address{{Scope: red, Address: netip.MustParseAddr("10.128.0.2"), State: audit.Attached, Attachment: &a,
		Namespace: "red", Pod: "web", MAC: "0a:58:0a:80:00:02", Port: "p", Interface: "moatp", Since: time.Unix(0, 0),
		Reservation: &audit.Reservation{For: "red/web", Sticky: true, Since: time.Unix(0, 0)}}}}
	out, _, err := ask(t, d, "ip", "list", "--tenant", "red", "--node", "n1")
	require.NoError(t, err)
	require.Equal(t, control.AddressQuery{Scope: red, Node: "n1"}, d.asked)
	require.Regexp(t, `tenant red +10.128.0.2 +attached +red/web +n1 +eth0 +1970-01-01T00:00:00Z +sticky`, out)

	out, _, err = ask(t, d, "ip", "show", "10.128.0.2")
	require.NoError(t, err)
	require.Equal(t, control.AddressQuery{Address: netip.MustParseAddr("10.128.0.2")}, d.asked)
	for _, line := range []string{"MAC +0a:58:0a:80:00:02", "container +c1", "host interface +moatp", "sticky +yes", "kept +red/web"} {
		require.Regexp(t, line, out)
	}
	out, _, err = ask(t, d, "ip", "list", "-o", "json")
	require.NoError(t, err)
	var list []audit.Address
	require.NoError(t, json.Unmarshal([]byte(out), &list))
	require.Equal(t, a, *list[0].Attachment)

	out, _, err = ask(t, d, "ip", "usage")
	require.NoError(t, err)
	require.Regexp(t, `tenant red +10.128.0.0/22 +1 +0 +0 +998 +999 +0.1\n`, out)
	require.Regexp(t, `pool lan +- +7 +0 +0 +- +- +-\n`, out)
}

func TestReservingAndReleasing(t *testing.T) {
	d := &daemon{}
	address := netip.MustParseAddr("10.128.0.9")
	out, _, err := ask(t, d, "ip", "reserve", "10.128.0.9", "--tenant", "red", "--for", "red/web", "--note", "the printer's; 50 % & more", "--until", "24h")
	require.NoError(t, err)
	require.Equal(t, control.ReserveRequest{Scope: red, Address: address, For: "red/web", Note: "the printer's; 50 % & more", During: 24 * time.Hour}, d.asked)
	require.Equal(t, "10.128.0.9 of tenant red is reserved for red/web (the printer's; 50 % & more)\n", out)

	a := ipam.Attachment{Node: "n1", Network: "moat", ContainerID: "c1", IfName: "eth0"}
	d.released = control.Released{Scope: red, Address: address, Holder: &a}
	out, _, err = ask(t, d, "ip", "release", "10.128.0.9", "--pool", "lan", "--force")
	require.NoError(t, err)
	require.Equal(t, control.ReleaseRequest{Scope: ipam.Scope{Kind: ipam.PoolScope, Name: "lan"}, Address: address, Force: true}, d.asked)
	require.Contains(t, out, "is not reserved any more; attachment moat/c1/eth0 on node n1 has it until it ends")

	d.err = fmt.Errorf("release 10.128.0.9: %w: a pod has it", control.ErrInUse)
	_, complaint, err := ask(t, d, "ip", "release", "10.128.0.9")
	require.Equal(t, 1, statusOf(t, err))
	require.Contains(t, complaint, "a pod has it")
}

func TestExitStatusOfAnAudit(t *testing.T) {
	finding := control.AuditResult{Finding: audit.Finding{Kind: audit.NoPort, What: "port p is not there", Remedy: audit.Restore, Hint: "make it"}}
	mended := finding
	mended.Repaired = true
	for name, c := range map[string]struct {
		daemon *daemon
		args   []string
		status int
		out    string
		says   string
	}{
		"no daemon":           {nil, nil, 2, "", "the daemon is not running"},
		"etcd is away":        {&daemon{err: errors.New("store unavailable")}, nil, 2, "", "store unavailable"},
		"an unknown flag":     {&daemon{}, []string{"--repare"}, 2, "", "unknown flag"},
		"an argument":         {&daemon{}, []string{"red"}, 2, "", "too many arguments"},
		"half of two flags":   {&daemon{}, []string{"--drop-unreadable"}, 2, "", "--drop-unreadable needs --repair"},
		"findings":            {&daemon{report: control.AuditReport{Node: "n1", Findings: []control.AuditResult{finding}}}, nil, 1, "attachment without port: port p is not there\n  make it\n1 finding, 0 repaired; node n1", ""},
		"one is not repaired": {&daemon{report: control.AuditReport{Findings: []control.AuditResult{mended, finding}}}, []string{"--repair"}, 1, "2 findings, 1 repaired; no node", ""},
		"all repaired":        {&daemon{report: control.AuditReport{Findings: []control.AuditResult{mended}}}, []string{"--repair"}, 0, "  repaired\n", ""},
		"nothing":             {&daemon{}, []string{"--node=false"}, 0, "0 findings, 0 repaired", ""},
		"as JSON":             {&daemon{report: control.AuditReport{Findings: []control.AuditResult{finding}}}, []string{"-o", "json"}, 1, `"kind": "attachment without port"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			out, complaint, err := ask(t, c.daemon, append([]string{"ip", "audit"}, c.args...)...)
			require.Equal(t, c.status, statusOf(t, err))
			require.Contains(t, out, c.out)
			require.Contains(t, complaint, c.says)
		})
	}
	d := &daemon{}
	_, _, err := ask(t, d, "ip", "audit", "--repair", "--drop-unreadable")
	require.NoError(t, err)
	require.Equal(t, control.AuditRequest{Node: true, Repair: true, DropUnreadable: true}, d.asked)
}
