package config

import (
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"
)

// RawKubernetes is the key kubernetes.
type RawKubernetes struct {
	Kubeconfig string `json:"kubeconfig"`
	InCluster  bool   `json:"inCluster"`
	Server     string `json:"server"`
	CAFile     string `json:"caFile"`
	TokenFile  string `json:"tokenFile"`
	StickyFor  string `json:"stickyFor"`
}

// Kubernetes says where pods' annotations are read; where none of Kubeconfig,
// InCluster and Server is given, they are not.
type Kubernetes struct {
	Kubeconfig string
	InCluster  bool
	Server     string
	CAFile     string
	TokenFile  string
	StickyFor  time.Duration // how long a sticky address is kept unless its pod says it
}

// On says whether annotations are read.
func (k Kubernetes) On() bool { return k.Kubeconfig != "" || k.InCluster || k.Server != "" }

func defaultKubernetes() RawKubernetes { return RawKubernetes{StickyFor: "24h"} }

func bindKubernetes(set *pflag.FlagSet, r *RawKubernetes) {
	set.StringVar(&r.Kubeconfig, "kubeconfig", r.Kubeconfig, "file that says how pods' annotations are read from the Kubernetes API server; default: they are not")
	set.BoolVar(&r.InCluster, "in-cluster", r.InCluster, "read them with the service account of the pod that Moat runs in")
	set.StringVar(&r.Server, "kubernetes-server", r.Server, "read them from the API server at this URL")
	set.StringVar(&r.CAFile, "kubernetes-ca", r.CAFile, "CA certificates of --kubernetes-server (PEM file)")
	set.StringVar(&r.TokenFile, "kubernetes-token-file", r.TokenFile, "file with the token for --kubernetes-server")
	set.StringVar(&r.StickyFor, "sticky-for", r.StickyFor, "how long a pod's sticky address is kept after its end, unless its annotation says it")
}

func validKubernetes(c *Config, raw Raw) error {
	r := raw.Kubernetes
	given := 0
	for _, is := range []bool{r.Kubeconfig != "", r.InCluster, r.Server != ""} {
		if is {
			given++
		}
	}
	if given > 1 {
		return fmt.Errorf("kubernetes.kubeconfig, kubernetes.inCluster and kubernetes.server: give one of them alone")
	}
	for _, f := range []struct{ key, path string }{{"kubeconfig", r.Kubeconfig}, {"caFile", r.CAFile}, {"tokenFile", r.TokenFile}} {
		switch {
		case f.path != "" && !filepath.IsAbs(f.path):
			return fmt.Errorf("kubernetes.%s: %q is not an absolute path", f.key, f.path)
		case f.path != "" && f.key != "kubeconfig" && r.Server == "":
			return fmt.Errorf("kubernetes.%s: %q is of use with kubernetes.server alone", f.key, f.path)
		}
	}
	if r.Server != "" {
		if err := validServer(r); err != nil {
			return err
		}
	}
	d, err := time.ParseDuration(r.StickyFor)
	if err != nil || d <= 0 {
		return fmt.Errorf("kubernetes.stickyFor: %q is no duration above 0, such as 24h", r.StickyFor)
	}
	c.Kubernetes = Kubernetes{r.Kubeconfig, r.InCluster, r.Server, r.CAFile, r.TokenFile, d}
	return nil
}

func validServer(r RawKubernetes) error {
	u, err := url.Parse(r.Server)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return fmt.Errorf("kubernetes.server: %q is no URL such as https://10.0.0.1:6443", r.Server)
	case u.User != nil:
		return fmt.Errorf("kubernetes.server: the URL must hold no password; name a kubernetes.tokenFile")
	case u.Scheme == "http" && (r.TokenFile != "" || r.CAFile != ""):
		return fmt.Errorf("kubernetes.server: %q is not https, which kubernetes.tokenFile and kubernetes.caFile need", r.Server)
	}
	return nil
}
