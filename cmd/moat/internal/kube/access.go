package kube

import (
	"fmt"
	"os"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/transport"
)

// Access says where the API server is and who asks it: one of a kubeconfig, the
// service account of the pod that this process runs in, or a server.
type Access struct {
	Kubeconfig string // file
	InCluster  bool
	Server     string // URL
	CAFile     string // PEM; "": the system's certificates
	TokenFile  string // read again as it changes; "": no token is sent
}

// config makes a client's configuration. Errors name the configuration key.
func (a Access) config() (*rest.Config, error) {
	c, err := a.found()
	if err != nil || c.BearerTokenFile == "" {
		return c, err
	}
	// By itself the library reads the file once a minute; this reads it, too, as
	// soon as a token was refused.
	c.Wrap(transport.ResettableTokenSourceWrapTransport(transport.NewCachedFileTokenSource(c.BearerTokenFile)))
	c.BearerToken, c.BearerTokenFile = "", ""
	return c, nil
}

func (a Access) found() (*rest.Config, error) {
	switch {
	case a.Kubeconfig != "":
		return fromKubeconfig(a.Kubeconfig)
	case a.InCluster:
		c, err := rest.InClusterConfig()
		if err != nil {
			return nil, fmt.Errorf("kubernetes.inCluster: %w", err)
		}
		return c, nil
	}
	for key, file := range map[string]string{"caFile": a.CAFile, "tokenFile": a.TokenFile} {
		if file == "" {
			continue
		}
		if _, err := os.ReadFile(file); err != nil {
			return nil, fmt.Errorf("kubernetes.%s: %w", key, err)
		}
	}
	return &rest.Config{Host: a.Server, BearerTokenFile: a.TokenFile, TLSClientConfig: rest.TLSClientConfig{CAFile: a.CAFile}}, nil
}

// fromKubeconfig reads the current context of a file. Moat starts no program, so
// a user who is found out by one is refused.
func fromKubeconfig(path string) (*rest.Config, error) {
	c, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, fmt.Errorf("kubernetes.kubeconfig: %w", err)
	}
	if c.ExecProvider != nil {
		return nil, fmt.Errorf("kubernetes.kubeconfig: %s: its user authenticates by the program %q, which Moat does not start; "+
			"give the user a certificate, a token or a tokenFile", path, c.ExecProvider.Command)
	}
	if c.AuthProvider != nil {
		return nil, fmt.Errorf("kubernetes.kubeconfig: %s: its user authenticates by the provider %q, which Moat does not have; "+
			"give the user a certificate, a token or a tokenFile", path, c.AuthProvider.Name)
	}
	return c, nil
}
