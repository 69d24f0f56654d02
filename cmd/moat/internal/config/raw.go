package config

import (
	"fmt"
	"os"

	"sigs.k8s.io/yaml"
)

// Raw is the configuration as written, in a file or by flags.
type Raw struct {
	Name         string   `json:"name"`
	DataDir      string   `json:"dataDir"`
	Socket       string   `json:"socket"`
	Listen       string   `json:"listen"`
	CNIConfDir   string   `json:"cniConfDir"`
	Node         string   `json:"node"`
	Supernet     string   `json:"supernet"`
	TenantPrefix int      `json:"tenantPrefix"`
	TransitPool  string   `json:"transitPool"`
	NoNAT        []string `json:"noNAT"`
	CoolDown     string   `json:"coolDown"`
	RawRanges
	MTU           int              `json:"mtu"`
	PortSecurity  bool             `json:"portSecurity"`
	Uplink        string           `json:"uplink"`
	UplinkAddress string           `json:"uplinkAddress"`
	UplinkGateway string           `json:"uplinkGateway"`
	HostID        string           `json:"hostID"`
	NetnsDir      string           `json:"netnsDir"`
	Etcd          RawEtcd          `json:"etcd"`
	Embedded      RawEmbedded      `json:"embedded"`
	Endpoint      RawEndpoint      `json:"endpoint"`
	API           RawAPI           `json:"api"`
	Users         RawUsers         `json:"users"`
	Keystone      RawKeystone      `json:"keystone"`
	TLS           RawTLS           `json:"tls"`
	Limits        RawLimits        `json:"limits"`
	NetworkSource RawNetworkSource `json:"networkSource"`
	Kubernetes    RawKubernetes    `json:"kubernetes"`
	Log           RawLog           `json:"log"`
}

// RawEtcd is the key etcd.
type RawEtcd struct {
	Endpoints    []string `json:"endpoints"`
	CAFile       string   `json:"caFile"`
	CertFile     string   `json:"certFile"`
	KeyFile      string   `json:"keyFile"`
	Username     string   `json:"username"`
	PasswordFile string   `json:"passwordFile"`
	Prefix       string   `json:"prefix"`
}

// RawEmbedded is the key embedded.
type RawEmbedded struct {
	QuotaBytes int64 `json:"quotaBytes"`
	Revisions  int   `json:"revisions"`
}

// RawEndpoint is the key endpoint.
type RawEndpoint struct {
	URLs         []string `json:"urls"`
	Username     string   `json:"username"`
	PasswordFile string   `json:"passwordFile"`
	Project      string   `json:"project"`
	CAFile       string   `json:"caFile"`
	CertFile     string   `json:"certFile"`
	KeyFile      string   `json:"keyFile"`
}

// RawLog is the key log.
type RawLog struct {
	Format string `json:"format"`
	Level  string `json:"level"`
}

// ReadFile lays the file at path over r. A key that Moat does not know is an
// error.
func (r Raw) ReadFile(path string) (Raw, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return r, fmt.Errorf("read configuration: %w", err)
	}
	if err := yaml.UnmarshalStrict(b, &r); err != nil {
		return r, fmt.Errorf("configuration %s: %w", path, err)
	}
	return r, nil
}
