package cniconf

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// The commands, CNI 1.1.0, section 2.
const (
	Add     = "ADD"
	Del     = "DEL"
	Check   = "CHECK"
	GC      = "GC"
	Status  = "STATUS"
	Version = "VERSION"
)

// ifNameMax is the longest name the kernel gives an interface (IFNAMSIZ-1).
const ifNameMax = 15

// Env is the value of each CNI_ variable; "" is one that is not set.
type Env struct {
	Command       string
	ContainerID   string
	Netns         string
	IfName        string
	Args          string
	Path          string
	NetnsOverride string
}

// variable is one CNI_ variable: who needs it and how a value may look.
type variable struct {
	name  string
	value *string
	needs []string
	valid func(string) *Error
}

func (e *Env) variables() []variable {
	attachment := []string{Add, Check, Del}
	return []variable{ // in the order in which the reference library reports them
		{"CNI_COMMAND", &e.Command, nil, nil},
		{"CNI_CONTAINERID", &e.ContainerID, attachment, validContainerID},
		{"CNI_NETNS", &e.Netns, []string{Add, Check}, nil},
		{"CNI_IFNAME", &e.IfName, attachment, validIfName},
		{"CNI_ARGS", &e.Args, nil, nil},
		{"CNI_PATH", &e.Path, []string{Add, Check, Del, GC, Status}, nil},
		{"CNI_NETNS_OVERRIDE", &e.NetnsOverride, nil, nil},
	}
}

// ReadEnv reads the variables and checks those that the command needs, with the
// same answers in the same order as the reference library.
func ReadEnv(getenv func(string) string) (Env, *Error) {
	var e Env
	var missing []string
	for _, v := range e.variables() {
		*v.value = getenv(v.name)
		needed := slices.Contains(v.needs, e.Command)
		switch {
		case *v.value == "" && (needed || v.name == "CNI_COMMAND"):
			missing = append(missing, v.name)
		case *v.value != "" && needed && v.valid != nil:
			if err := v.valid(*v.value); err != nil {
				return e, err
			}
		}
	}
	if len(missing) > 0 {
		return e, environmentError(
			fmt.Sprintf("required env variables [%s] missing", strings.Join(missing, ",")),
			"a CNI plugin is started by a container runtime, which sets them")
	}
	if !slices.Contains([]string{Add, Del, Check, GC, Status, Version}, e.Command) {
		return e, environmentError("unknown CNI_COMMAND: "+e.Command,
			"one of ADD, DEL, CHECK, GC, STATUS, VERSION is expected")
	}
	return e, nil
}

// Pairs are the variables that have a value, as NAME=VALUE.
func (e Env) Pairs() (all []string) {
	for _, v := range e.variables() {
		if *v.value != "" {
			all = append(all, v.name+"="+*v.value)
		}
	}
	return all
}

// OwnNetnsAllowed says whether a pod may have the plugin's own namespace.
func (e Env) OwnNetnsAllowed() bool {
	return e.NetnsOverride == "1" || strings.EqualFold(e.NetnsOverride, "true")
}

// Subject names what the call is about, for messages: the pod if CNI_ARGS tell
// it, and the container.
func (e Env) Subject() string {
	pod := Args(e.Args)
	name := ""
	switch {
	case pod["K8S_POD_NAMESPACE"] != "":
		name = fmt.Sprintf("pod %s/%s, ", pod["K8S_POD_NAMESPACE"], pod["K8S_POD_NAME"])
	case pod["K8S_POD_NAME"] != "":
		name = fmt.Sprintf("pod %s, ", pod["K8S_POD_NAME"])
	}
	if e.ContainerID == "" {
		return e.Command
	}
	return fmt.Sprintf("%s of %scontainer %s, interface %s", e.Command, name, e.ContainerID, e.IfName)
}

// Args reads CNI_ARGS, "K=V;K=V" in any order; what has no "=" is left out.
func Args(s string) map[string]string {
	args := make(map[string]string)
	for pair := range strings.SplitSeq(s, ";") {
		if k, v, ok := strings.Cut(pair, "="); ok {
			args[k] = v
		}
	}
	return args
}

func environmentError(msg, details string) *Error {
	return &Error{Code: CodeEnvironment, Msg: msg, Details: details}
}

// validName holds for container IDs and network names: an alphanumeric first,
// then alphanumerics, "_", "." and "-".
func validName(s string) bool {
	for i, r := range []byte(s) {
		alphanumeric := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !alphanumeric && (i == 0 || !strings.ContainsRune("_.-", rune(r))) {
			return false
		}
	}
	return s != ""
}

func validContainerID(s string) *Error {
	if !validName(s) {
		return environmentError("CNI_CONTAINERID: invalid characters in container ID", fmt.Sprintf("%q", s))
	}
	return nil
}

func validIfName(s string) *Error {
	switch {
	case len(s) > ifNameMax:
		return environmentError("CNI_IFNAME: interface name is too long",
			fmt.Sprintf("%q has more than %d characters", s, ifNameMax))
	case s == "." || s == "..":
		return environmentError("CNI_IFNAME: interface name is . or ..", "")
	case strings.Contains(s, "%"):
		return environmentError("CNI_IFNAME: interface name contains %", fmt.Sprintf("%q: the kernel would make a number of it", s))
	case strings.ContainsFunc(s, func(r rune) bool { return r == '/' || r == ':' || unicode.IsSpace(r) }):
		return environmentError("CNI_IFNAME: interface name contains / or : or whitespace characters", fmt.Sprintf("%q", s))
	}
	return nil
}
