package e2e

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/containernetworking/cni/pkg/types"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/moatnet/moat/cmd/internal/kubetest"
)

// uid is the one that the runtime knows a pod by.
func uid(args [][2]string) string {
	for _, a := range args {
		if a[0] == "K8S_POD_UID" {
			return a[1]
		}
	}
	return ""
}

// TestPodThatIsMadeAnewDuringItsAdd: the old one's ADD, which waits for the API
// server, must not take what the new one of its name wants.
func TestPodThatIsMadeAnewDuringItsAdd(t *testing.T) {
	k := newKubernetes(t)
	k.Freeze(true) // so that the API server has to be asked
	old := k.pod("blue", "web", nil)
	asked, answer := make(chan struct{}, 100), make(chan struct{})
	k.Break(func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/pods/web") {
			asked <- struct{}{}
			<-answer
		}
		return false
	})
	ended := make(chan error, 1)
	go func() { ended <- k.n.rt.Add(context.WithoutCancel(t.Context()), old) }()
	<-asked
	k.DeletePod("blue", "web")
	fresh := k.pod("blue", "web", notes{"moat.dev/mac": "02:00:00:00:00:77"})
	close(answer)
	var gone *types.Error
	require.ErrorAs(t, <-ended, &gone)
	require.EqualValues(t, 11, gone.Code)
	require.Contains(t, gone.Msg, "the runtime's has the UID "+uid(old.Args.Args))
	require.Equal(t, []string{"lo"}, interfacesOf(t, old.Namespace))
	k.add(fresh)
	require.Equal(t, "02:00:00:00:00:77", fresh.Result.Interfaces[1].Mac)
	require.NoError(t, k.n.rt.Del(t.Context(), old), "late")
	require.NoError(t, k.n.rt.Check(t.Context(), fresh))
}

// TestAPIServerInTrouble: an ADD that cannot know what the pod wants is refused, and
// says why; what needs no annotations goes on.
func TestAPIServerInTrouble(t *testing.T) {
	k := newKubernetes(t)
	known := k.pod("blue", "known", nil)
	k.add(known)
	fail := func(status int, reason metav1.StatusReason) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			kubetest.Fail(w, status, reason, "as the test wants")
			return true
		}
	}
	for name, test := range map[string]struct {
		fault func(http.ResponseWriter, *http.Request) bool
		says  string
	}{
		"not allowed": {fail(403, metav1.StatusReasonForbidden), "the Kubernetes API server refuses the question"},
		"not there":   {fail(404, metav1.StatusReasonNotFound), "no such pod"},
	} {
		t.Run(name, func(t *testing.T) {
			k.Break(test.fault)
			defer k.Break(nil)
			p, err := k.n.lab.NewPod("blue", "late")
			require.NoError(t, err)
			var e *types.Error
			require.ErrorAs(t, k.n.rt.Add(t.Context(), p), &e)
			require.EqualValues(t, 11, e.Code)
			require.Contains(t, e.Msg, "pod blue/late")
			require.Contains(t, e.Msg, test.says)
			require.Equal(t, []string{"lo"}, interfacesOf(t, p.Namespace))
			require.NoError(t, k.n.rt.Check(t.Context(), known))
			require.NoError(t, k.n.rt.Del(t.Context(), p))
			require.NoError(t, p.Remove())
		})
	}
	back := k.pod("blue", "back", notes{"moat.dev/mac": "02:00:00:00:00:78"})
	k.add(back)
	require.Equal(t, "02:00:00:00:00:78", back.Result.Interfaces[1].Mac)
}

// TestAnnotationsOfAnyForm: each is refused with its key, shortly and in text, and
// nothing is taken.
func TestAnnotationsOfAnyForm(t *testing.T) {
	k := newKubernetes(t)
	long := strings.Repeat("\x1b]0;x\a", 256<<10/7)
	wrong := notes{
		"moat.dev/ip":                   long,
		"moat.dev/ip.eth0":              "::ffff:10.0.0.5",
		"moat.dev/mac":                  "02:00:00:00:00:01\x00",
		"moat.dev/gateway":              long,
		"moat.dev/dns":                  `{"search":["` + strings.Repeat("a b ", 64<<10) + `"]}`,
		"moat.dev/sticky":               "True",
		"moat.dev/ipp":                  long,
		"kube-ipam.ip":                  strings.Repeat("10.0.0.5,", 256<<10/9),
		"cni.projectcalico.org/ipAddrs": `["` + strings.Repeat("1", 256<<10) + `"]`,
	}
	for key, value := range wrong {
		e := k.refusal(k.n.rt, k.pod("blue", "web", notes{key: value}))
		require.EqualValues(t, 7, e.Code, key)
		require.Contains(t, e.Msg, "annotation "+key+" ")
		require.Contains(t, e.Msg, "pod blue/web")
		require.Less(t, len(e.Msg), 2000, key)
		require.NotContains(t, e.Msg, "\x1b", key)
		k.DeletePod("blue", "web")
	}
	e := k.refusal(k.n.rt, k.pod("blue", "web", notes{"moat.dev/ip": "10.0.0.5", "kube-ipam.ip": "10.0.0.6"}))
	require.EqualValues(t, 7, e.Code)
	require.Contains(t, e.Msg, "annotation moat.dev/ip and kube-ipam.ip")
	require.Contains(t, k.n.cli("ip", "list", "-o", "json"), "[]")
}
