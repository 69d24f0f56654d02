package config

import "github.com/spf13/pflag"

// Flags are the command-line flags of the keys; what is given there wins over
// the file.
type Flags struct {
	set  *pflag.FlagSet
	raw  Raw
	file string
}

// AddFlags defines the flags in set.
func AddFlags(set *pflag.FlagSet) *Flags {
	f := &Flags{set: set, raw: Defaults()}
	set.StringVar(&f.file, "config", "", "configuration file (YAML); flags win over it")
	bind(set, &f.raw)
	return f
}

// Config is the valid configuration of defaults, file and flags.
func (f *Flags) Config() (Config, error) {
	if f.file == "" {
		return f.raw.Valid()
	}
	raw, err := Defaults().ReadFile(f.file)
	if err != nil {
		return Config{}, err
	}
	over := pflag.NewFlagSet("", pflag.ContinueOnError)
	bind(over, &raw)
	f.set.VisitAll(func(given *pflag.Flag) { // a subcommand's set knows what was given, and the flag itself
		known := over.Lookup(given.Name)
		if known == nil || err != nil || !given.Changed {
			return
		}
		if list, ok := given.Value.(pflag.SliceValue); ok {
			err = known.Value.(pflag.SliceValue).Replace(list.GetSlice())
			return
		}
		err = known.Value.Set(given.Value.String())
	})
	if err != nil {
		return Config{}, err
	}
	return raw.Valid()
}

func bind(set *pflag.FlagSet, r *Raw) {
	set.StringVar(&r.Name, "name", r.Name, "name of the installation")
	set.StringVar(&r.DataDir, "data-dir", r.DataDir, "directory of embedded etcd, password and tombstones")
	set.StringVar(&r.Socket, "socket", r.Socket, "unix socket where moat-cni finds the daemon")
	set.StringVar(&r.Listen, "listen", r.Listen, "address of the REST API")
	set.StringVar(&r.CNIConfDir, "cni-conf-dir", r.CNIConfDir, `directory for the CNI configuration list; "" writes none`)
	set.StringVar(&r.Node, "node", r.Node, "name of this node; default: the host's name")
	set.StringVar(&r.Supernet, "supernet", r.Supernet, "network that tenants' subnets are carved from")
	set.IntVar(&r.TenantPrefix, "tenant-prefix", r.TenantPrefix, "prefix length of a tenant's subnet")
	set.StringVar(&r.TransitPool, "transit-pool", r.TransitPool, "network of the links between routers")
	set.StringSliceVar(&r.NoNAT, "no-nat", r.NoNAT, "further destinations that keep the pod's source address")
	set.StringVar(&r.CoolDown, "cool-down", r.CoolDown, "how long a tenant's address rests before it is leased again while others are free; 0: not at all")
	set.IntVar(&r.MTU, "mtu", r.MTU, "bytes, for every device; 0: --uplink's, or that of the default route's interface")
	set.BoolVar(&r.PortSecurity, "port-security", r.PortSecurity, "pods send as themselves alone: with their own MACs and addresses")
	set.StringVar(&r.Uplink, "uplink", r.Uplink, "real interface for the provider router; default: a veth pair to the host")
	set.StringVar(&r.UplinkAddress, "uplink-address", r.UplinkAddress, "the provider router's address on --uplink, with its prefix length")
	set.StringVar(&r.UplinkGateway, "uplink-gateway", r.UplinkGateway, "the next hop on --uplink")
	set.StringVar(&r.HostID, "host-id", r.HostID, "UUID of this host in the topology; default: the data directory's")
	set.StringVar(&r.NetnsDir, "netns-dir", r.NetnsDir, "where routers' namespaces are pinned")
	set.StringSliceVar(&r.Etcd.Endpoints, "etcd-endpoints", r.Etcd.Endpoints, "external etcd; default: an embedded one")
	set.StringVar(&r.Etcd.CAFile, "etcd-ca", r.Etcd.CAFile, "etcd's CA certificates (PEM file)")
	set.StringVar(&r.Etcd.CertFile, "etcd-cert", r.Etcd.CertFile, "client certificate for etcd (PEM file)")
	set.StringVar(&r.Etcd.KeyFile, "etcd-key", r.Etcd.KeyFile, "key of --etcd-cert (PEM file)")
	set.StringVar(&r.Etcd.Username, "etcd-user", r.Etcd.Username, "etcd user")
	set.StringVar(&r.Etcd.PasswordFile, "etcd-password-file", r.Etcd.PasswordFile, "file (0600) with the etcd user's password")
	set.StringVar(&r.Etcd.Prefix, "etcd-prefix", r.Etcd.Prefix, "prefix of all of Moat's keys")
	set.StringSliceVar(&r.Endpoint.URLs, "endpoint", r.Endpoint.URLs, "another REST API than the daemon's own")
	set.StringVar(&r.Endpoint.Username, "user", r.Endpoint.Username, "user at --endpoint")
	set.StringVar(&r.Endpoint.PasswordFile, "password-file", r.Endpoint.PasswordFile, "file (0600) with that user's password")
	set.StringVar(&r.Endpoint.Project, "project", r.Endpoint.Project, "project at --endpoint (X-Auth-Project)")
	set.StringVar(&r.Endpoint.CAFile, "endpoint-ca", r.Endpoint.CAFile, "CA certificates of --endpoint (PEM file)")
	set.StringVar(&r.Endpoint.CertFile, "endpoint-cert", r.Endpoint.CertFile, "client certificate for --endpoint (PEM file)")
	set.StringVar(&r.Endpoint.KeyFile, "endpoint-key", r.Endpoint.KeyFile, "key of --endpoint-cert (PEM file)")
	bindREST(set, r)
	bindKubernetes(set, &r.Kubernetes)
	set.StringVar(&r.Log.Format, "log-format", r.Log.Format, "text or json")
	set.StringVar(&r.Log.Level, "log-level", r.Log.Level, "debug, info, warn or error")
}

func bindREST(set *pflag.FlagSet, r *Raw) {
	set.StringVar(&r.API.Release, "api-release", r.API.Release, "release of MidoNet that the REST API behaves like: 5 or 1.9")
	set.StringVar(&r.Users.File, "users-file", r.Users.File, "users of the REST API beside admin; default: users in --data-dir")
	set.StringVar(&r.Users.TokenLifetime, "token-lifetime", r.Users.TokenLifetime, "how long a login at the REST API holds")
	set.StringVar(&r.Keystone.URL, "keystone-url", r.Keystone.URL, "Keystone v3 as a second provider of users, such as https://keystone:5000/v3")
	set.StringVar(&r.Keystone.Username, "keystone-user", r.Keystone.Username, "user that validates tokens and lists projects")
	set.StringVar(&r.Keystone.PasswordFile, "keystone-password-file", r.Keystone.PasswordFile, "file (0600) with that user's password")
	set.StringVar(&r.Keystone.Project, "keystone-project", r.Keystone.Project, "that user's project")
	set.StringVar(&r.Keystone.DefaultProject, "keystone-default-project", r.Keystone.DefaultProject, "project of logins that name none; default: the user's own")
	set.StringVar(&r.Keystone.Domain, "keystone-domain", r.Keystone.Domain, "ID of the domain of users and projects")
	set.StringVar(&r.Keystone.CAFile, "keystone-ca", r.Keystone.CAFile, "CA certificates of Keystone (PEM file)")
	set.StringVar(&r.Keystone.Tenant, "keystone-tenant", r.Keystone.Tenant, "what of a project is the tenant: id or name")
	set.StringVar(&r.Keystone.AdminRole, "keystone-admin-role", r.Keystone.AdminRole, "role that makes an admin")
	set.StringVar(&r.Keystone.TenantAdminRole, "keystone-tenant-admin-role", r.Keystone.TenantAdminRole, "role that makes an admin of the project alone")
	set.StringVar(&r.Keystone.TenantUserRole, "keystone-tenant-user-role", r.Keystone.TenantUserRole, "role that may read the project's objects")
	set.StringVar(&r.TLS.CertFile, "tls-cert", r.TLS.CertFile, "certificate of the REST API (PEM file); default: no TLS")
	set.StringVar(&r.TLS.KeyFile, "tls-key", r.TLS.KeyFile, "key of --tls-cert (PEM file)")
	set.StringVar(&r.TLS.ClientCAFile, "tls-client-ca", r.TLS.ClientCAFile, "CA of the certificates that clients must have (PEM file); default: they need none")
	set.IntVar(&r.Limits.Connections, "max-connections", r.Limits.Connections, "connections to the REST API at once")
	set.IntVar(&r.Limits.Requests, "max-requests", r.Limits.Requests, "requests that the REST API answers at once")
	set.StringVar(&r.Limits.RequestTimeout, "request-timeout", r.Limits.RequestTimeout, "longest time for one request to the REST API")
}
