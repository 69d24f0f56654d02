package wishes

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// prefix is of Moat's annotations. One that ends with a dot and the name of an
// interface is about that one alone.
const prefix = "moat.dev/"

// Moat's annotations.
const (
	keyIP        = "ip"
	keyMAC       = "mac"
	keyGateway   = "gateway"
	keySticky    = "sticky"
	keyStickyFor = "sticky-for"
	keyDNS       = "dns"
)

// Those of earlier systems: kube-ipam, and Calico's, which hostnic reads, too.
const (
	olderIP      = "kube-ipam.ip"
	olderNetmask = "kube-ipam.netmask"
	olderGateway = "kube-ipam.gateway"
	calicoIPs    = "cni.projectcalico.org/ipAddrs"
)

// texts are the annotations that may be about an interface.
type texts struct {
	pod      map[string]string
	defaults map[string]string // of the namespace
	ifName   string
}

// text is one annotation.
type text struct{ key, value string }

func (a text) must(want string) error { return &Error{Annotation: a.key, Value: a.value, Want: want} }

// known refuses annotations of Moat's that nobody reads: a misspelt one would
// give the pod what it did not ask for. What can be of one pod alone may not
// stand on a namespace.
func (t texts) known() error {
	ofPods := []string{keyIP, keyMAC}
	all := append(ofPods, keyGateway, keySticky, keyStickyFor, keyDNS)
	for _, m := range []map[string]string{t.pod, t.defaults} {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			if name, ours := strings.CutPrefix(key, prefix); ours && !slices.Contains(all, base(name)) {
				return text{key, m[key]}.must("left out or spelt right: Moat knows " + prefix + strings.Join(all, ", "))
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(t.defaults)) {
		if name, ours := strings.CutPrefix(key, prefix); ours && slices.Contains(ofPods, base(name)) {
			return text{key, t.defaults[key]}.must("on pods, not on their namespace")
		}
	}
	return nil
}

func base(name string) string {
	name, _, _ = strings.Cut(name, ".")
	return name
}

// own finds what one interface alone can have: the pod's word for the interface,
// or, for the first one, its word without an interface.
func (t texts) own(name string) (text, bool) {
	keys := []string{prefix + name + "." + t.ifName}
	if t.ifName == primary {
		keys = append(keys, prefix+name)
	}
	return find(keys, t.pod)
}

// shared finds what all interfaces may have, of the pod or else of its namespace.
func (t texts) shared(name string) (text, bool) {
	return find([]string{prefix + name + "." + t.ifName, prefix + name}, t.pod, t.defaults)
}

func find(keys []string, in ...map[string]string) (text, bool) {
	for _, m := range in {
		for _, k := range keys {
			if v, ok := m[k]; ok {
				return text{k, strings.TrimSpace(v)}, true
			}
		}
	}
	return text{}, false
}

// older finds an annotation of an earlier system, which is about the first
// interface.
func (t texts) older(key string) (text, bool) {
	if t.ifName != primary {
		return text{}, false
	}
	return find([]string{key}, t.pod)
}

// either is Moat's annotation or the older one. Two that differ are an error.
func (t texts) either(name, older string) (text, error) {
	old, hasOld := t.older(older)
	own, has := t.own(name)
	if !has {
		own, has = t.defaulted(name)
	}
	switch {
	case has && hasOld && own.value != old.value:
		return text{}, differ(own, old)
	case has:
		return own, nil
	}
	return old, nil
}

// defaulted is the namespace's word on what one interface alone can have.
func (t texts) defaulted(name string) (text, bool) {
	if t.ifName != primary {
		return text{}, false
	}
	return find([]string{prefix + name}, t.defaults)
}

func differ(a, b text) error {
	return text{a.key + " and " + b.key, fmt.Sprintf("%.*s and %.*s", longestQuote/2, a.value, longestQuote/2, b.value)}.must("the same, or one of them left out")
}
