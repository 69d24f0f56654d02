package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/moatnet/moat/cmd/internal/lab"
)

// heldAddress is what `moat ip list -o json` says of one.
type heldAddress struct {
	Scope      struct{ Kind, Name string }
	Address    string
	State      string
	Pod        string
	MAC        string
	Port       string
	Since      time.Time
	Attachment struct{ Node, ContainerID, IfName string }
}

func (n *node) addresses(args ...string) (list []heldAddress) {
	n.t.Helper()
	require.NoError(n.t, json.Unmarshal([]byte(n.cli(append([]string{"ip", "list", "-o", "json"}, args...)...)), &list))
	return list
}

// auditReport is what `moat ip audit -o json` says.
type auditReport struct {
	Node     string
	Findings []struct {
		Kind, What, Error string
		Address           string
		Repaired          bool
	}
}

// audit says what an audit finds, and its exit status.
func (n *node) audit(args ...string) (r auditReport, status int) {
	n.t.Helper()
	out, err := n.daemon.CLI(n.t.Context(), append([]string{"ip", "audit", "-o", "json"}, args...)...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		status = exit.ExitCode()
	} else {
		require.NoError(n.t, err, out)
	}
	if status < 2 {
		require.NoError(n.t, json.Unmarshal([]byte(out), &r), out)
	}
	return r, status
}

// refusal runs a command that must fail, and returns what it says.
func (n *node) refusal(args ...string) string {
	n.t.Helper()
	out, err := n.daemon.CLI(n.t.Context(), args...)
	require.Error(n.t, err, out)
	return out
}

// settled waits until all attachments are known to be made in full.
func (n *node) settled() {
	n.t.Helper()
	require.Eventually(n.t, func() bool {
		return !slices.ContainsFunc(n.addresses(), func(a heldAddress) bool { return a.State == "adding" })
	}, time.Minute, 50*time.Millisecond)
}

func TestOperatorsSeeAndReserveAddresses(t *testing.T) {
	n := newNode(t)
	p := n.pod("red", "web")
	n.settled()
	list := n.addresses()
	require.Len(t, list, 1)
	require.Equal(t, p.Address.String(), list[0].Address)
	require.Equal(t, "attached", list[0].State)
	require.Equal(t, p.ID, list[0].Attachment.ContainerID)
	require.WithinDuration(t, time.Now(), list[0].Since, time.Minute)
	require.Equal(t, p.Result.Interfaces[1].Mac, list[0].MAC)
	require.Contains(t, n.refusal("ip", "list", "--tenant", "blue"), `there is no tenant "blue"`)
	require.Empty(t, n.addresses("--node", "elsewhere"))
	require.Len(t, n.addresses("--tenant", "red", "--node", list[0].Attachment.Node), 1)
	shown := n.cli("ip", "show", p.Address.String())
	require.Contains(t, shown, "red/web")
	require.Contains(t, shown, p.ID)
	require.Contains(t, shown, list[0].Port)

	require.Contains(t, n.refusal("ip", "release", p.Address.String()), "(pod red/web) holds it")
	require.Contains(t, n.refusal("ip", "release", p.Address.String(), "--force"), "nothing proves that the pod is gone")
	require.Contains(t, n.refusal("ip", "reserve", p.Address.String(), "--tenant", "red"), "is held by moat/"+p.ID)
	require.Contains(t, n.refusal("ip", "reserve", "192.0.2.77", "--tenant", "red"), "192.0.2.77")
	require.Contains(t, n.refusal("ip", "reserve", p.Address.String(), "--tenant", "nobody"), "nobody")
	require.Contains(t, n.refusal("ip", "release", "192.0.2.77"), "nobody holds it")
	n.reaches(p.Namespace, outsideAddr.Addr())

	kept := p.Address.Next().String()
	n.cli("ip", "reserve", kept, "--tenant", "red", "--note", "the printer")
	require.Contains(t, n.refusal("ip", "reserve", kept, "--tenant", "red"), "is reserved (the printer)")
	require.Contains(t, n.cli("ip", "show", kept), "the printer")
	next := n.pod("red", "next")
	require.NotEqual(t, kept, next.Address.String(), "it is passed over")
	usage := n.cli("ip", "usage")
	require.Regexp(t, `tenant red +\S+ +2 +1 +0 +996 +999 +0.3`, usage)
	require.Contains(t, n.cli("ip", "release", kept), "is free")
	require.Contains(t, n.refusal("ip", "show", kept), "nobody holds it")
	report, status := n.audit()
	require.Zero(t, status, "%+v", report)
	require.Equal(t, list[0].Attachment.Node, report.Node)
}

// A pod whose namespace is gone without a DEL is proven to be, and detached: by an
// operator at once, else within 30 s. The living keep theirs.
func TestPodsThatAreGoneAreDetached(t *testing.T) {
	n := newNode(t)
	lives := n.pod("red", "lives")
	pods := map[string]*lab.Pod{}
	for _, name := range []string{"first", "second"} { // with no server inside, whose socket would keep the namespace
		p, err := n.lab.NewPod("red", name)
		require.NoError(t, err)
		require.NoError(t, n.rt.Add(t.Context(), p))
		pods[name] = p
	}
	first, second := pods["first"], pods["second"]
	n.settled()
	require.NoError(t, first.Remove())
	var report auditReport
	require.Eventually(t, func() bool { // the kernel unmakes namespaces in its own time
		report, _ = n.audit()
		return len(report.Findings) == 1
	}, 2*time.Minute, 10*time.Millisecond, "an audit sees it before the daemon has looked twice")
	require.Equal(t, "attachment of a pod that is gone", report.Findings[0].Kind)
	require.Equal(t, first.Address.String(), report.Findings[0].Address)
	require.Contains(t, n.cli("ip", "release", first.Address.String(), "--force"), "is free")

	require.NoError(t, second.Remove())
	require.Eventually(t, func() bool { // the 30 s begin when the kernel has unmade the namespace
		return len(n.addresses()) == 1
	}, 2*time.Minute, 200*time.Millisecond)
	require.Equal(t, lives.Address.String(), n.addresses()[0].Address)
	n.reaches(lives.Namespace, outsideAddr.Addr())
	report, status := n.audit()
	require.Zero(t, status, "%+v", report)
	for _, p := range pods {
		require.NoError(t, n.rt.Del(t.Context(), p), "what the runtime does later")
	}
}

// What somebody took away under a living pod is made again, with the same address
// and MAC.
func TestAnAuditRestoresWhatIsMissingOfALivingPod(t *testing.T) {
	n := newNode(t)
	p := n.pod("red", "web")
	n.settled()
	mac := p.Result.Interfaces[1].Mac
	rest, err := n.daemon.REST(t.Context(), listen)
	require.NoError(t, err)
	port := n.addresses()[0].Port
	require.NoError(t, rest.Delete(t.Context(), fmt.Sprintf("http://%s/midonet-api/ports/%s", listen, port)))
	var report auditReport
	require.Eventually(t, func() bool {
		var status int
		report, status = n.audit("--repair")
		return status == 0 && len(report.Findings) == 0
	}, time.Minute, 10*time.Millisecond, "%+v", report)
	n.reaches(p.Namespace, outsideAddr.Addr())
	require.Equal(t, p.Address.String(), n.addresses()[0].Address)
	require.Equal(t, mac, n.addresses()[0].MAC)
	require.NoError(t, n.rt.Check(t.Context(), p))
}
