package wishes

import "strings"

// primary is the interface that runtimes give a pod first; annotations that name
// no interface are about it.
const primary = "eth0"

// templateHash is the label by which a Deployment tells its ReplicaSets apart;
// it is the end of their names.
const templateHash = "pod-template-hash"

// identity is whose a sticky address is. shared: several pods may have it at
// once. The name of a pod says who it is, unless its controller makes names up:
// then it is the controller, or what stands behind it.
func (p Pod) identity() (who string, shared bool) {
	pod := p.Namespace + "/" + p.Name
	of := func(kind, name string) (string, bool) { return p.Namespace + "/" + kind + "/" + name, true }
	switch p.Owner.Kind {
	case "", "StatefulSet":
		return pod, false
	case "DaemonSet":
		return of("DaemonSet", p.Owner.Name+"@"+p.Node)
	case "ReplicaSet":
		if hash := p.Labels[templateHash]; hash != "" {
			if deployment, ok := strings.CutSuffix(p.Owner.Name, "-"+hash); ok {
				return of("Deployment", deployment)
			}
		}
		return of("ReplicaSet", p.Owner.Name)
	case "Job", "ReplicationController":
		return of(p.Owner.Kind, p.Owner.Name)
	}
	if p.chosenName() {
		return pod, false
	}
	return of(p.Owner.Kind, p.Owner.Name)
}

// ordinalMax is how long a number at the end of a pod's name may be; from five
// characters on it is a random one of the API server.
const ordinalMax = 4

// chosenName says whether the name of a pod of an unknown controller comes again
// when the pod does: it was given as it is, or ends with a number of its own.
func (p Pod) chosenName() bool {
	if p.GenerateName == "" {
		return true
	}
	number, ok := strings.CutPrefix(p.Name, p.GenerateName)
	return ok && number != "" && len(number) <= ordinalMax && strings.Trim(number, "0123456789") == ""
}
