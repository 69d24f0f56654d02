package agent

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moatnet/moat/cmd/internal/cniconf"
	"github.com/moatnet/moat/sdn"
	"github.com/moatnet/moat/tenant"
)

const (
	labelMax  = 63 // RFC 1123
	labelForm = "a name of a namespace: lower case letters, digits and inner hyphens, at most 63 (RFC 1123)"
)

// isLabel says whether s is a label of RFC 1123, as namespaces' names are.
func isLabel(s string) bool {
	if s == "" || len(s) > labelMax || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// attachRequest says what the runtime wants, in the tenant's words.
func (c *call) attachRequest(conf Config) (tenant.AttachRequest, error) {
	e := c.request.Env
	if c.netns == nil {
		return tenant.AttachRequest{}, &cniconf.Error{Code: cniconf.CodeNetns,
			Msg: e.Subject() + ": no network namespace came with the call", Details: "CNI_NETNS must name the pod's network namespace"}
	}
	args, err := readArgs(e.Args)
	if err != nil {
		return tenant.AttachRequest{}, err
	}
	of, err := c.tenantOf(conf, args)
	if err != nil {
		return tenant.AttachRequest{}, err
	}
	r := tenant.AttachRequest{
		Attachment: c.agent.attachment(conf.Name, e),
		Pod:        tenant.Pod{Namespace: args["K8S_POD_NAMESPACE"], Name: args["K8S_POD_NAME"], UID: args["K8S_POD_UID"]},
		Tenant:     of,
		Netns:      c.netns,
		NetnsPath:  e.Netns,
		MTU:        conf.MTU,
		Routes:     conf.Routes,
	}
	if r.NetnsInode = c.visibleInode(); r.NetnsInode != 0 {
		r.BootID = c.agent.boot
	}
	return r, addRequests(&r, ofRuntime(conf.capabilities, conf.arguments, args), args)
}

// tenantOf is the pod's namespace, or for runtimes that know none the
// configuration's tenant.
func (c *call) tenantOf(conf Config, args map[string]string) (sdn.TenantID, error) {
	namespace := args["K8S_POD_NAMESPACE"]
	switch {
	case namespace == "" && conf.Tenant != "":
		return conf.Tenant, nil
	case namespace == "":
		return c.agent.tenant, nil
	case !isLabel(namespace):
		return "", &cniconf.Error{Code: cniconf.CodeEnvironment,
			Msg:     fmt.Sprintf("%s: K8S_POD_NAMESPACE %q is no name of a namespace", c.request.Env.Subject(), namespace),
			Details: "CNI_ARGS must hold " + labelForm}
	}
	return sdn.TenantID(namespace), nil
}

// readArgs reads CNI_ARGS. A key that is not known is an error unless
// IgnoreUnknown says otherwise, as with the reference plugins.
func readArgs(s string) (map[string]string, error) {
	args := cniconf.Args(s)
	for pair := range strings.SplitSeq(s, ";") {
		if pair != "" && !strings.Contains(pair, "=") {
			return nil, argsError(fmt.Sprintf("invalid pair %q", pair))
		}
	}
	ignore := args["IgnoreUnknown"]
	if ignore == "1" || strings.EqualFold(ignore, "true") {
		return args, nil
	}
	for key := range args {
		if !slices.Contains([]string{"IgnoreUnknown", "IP", "GATEWAY", "MAC"}, key) && !strings.HasPrefix(key, "K8S_") {
			return nil, argsError(fmt.Sprintf("unknown key %q", key))
		}
	}
	return args, nil
}

func argsError(cause string) error {
	return &cniconf.Error{Code: cniconf.CodeEnvironment, Msg: "CNI_ARGS: " + cause,
		Details: "KEY=VALUE pairs with semicolons between them are expected; IgnoreUnknown=1 allows unknown keys"}
}
