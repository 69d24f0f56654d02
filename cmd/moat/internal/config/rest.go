package config

import (
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"github.com/moatnet/moat/sdn/wire"
)

// BuiltinUser is the admin of the REST API whose password the daemon makes.
const BuiltinUser = "admin"

// RawAPI is the key api.
type RawAPI struct {
	Release string `json:"release"`
}

// RawUsers is the key users.
type RawUsers struct {
	File          string `json:"file"`
	TokenLifetime string `json:"tokenLifetime"`
}

// RawKeystone is the key keystone.
type RawKeystone struct {
	URL             string `json:"url"`
	Username        string `json:"username"`
	PasswordFile    string `json:"passwordFile"`
	Project         string `json:"project"`
	DefaultProject  string `json:"defaultProject"`
	Domain          string `json:"domain"`
	CAFile          string `json:"caFile"`
	Tenant          string `json:"tenant"`
	AdminRole       string `json:"adminRole"`
	TenantAdminRole string `json:"tenantAdminRole"`
	TenantUserRole  string `json:"tenantUserRole"`
}

// RawTLS is the key tls.
type RawTLS struct {
	CertFile     string `json:"certFile"`
	KeyFile      string `json:"keyFile"`
	ClientCAFile string `json:"clientCAFile"`
}

// RawLimits is the key limits.
type RawLimits struct {
	Connections    int    `json:"connections"`
	Requests       int    `json:"requests"`
	RequestTimeout string `json:"requestTimeout"`
}

// API is what the REST API speaks.
type API struct{ Release wire.Release }

// Users are those of the REST API beside BuiltinUser.
type Users struct {
	File          string
	TokenLifetime time.Duration
}

// Keystone is a second provider of users; no URL: there is none.
type Keystone struct {
	URL             string
	Username        string // with PasswordFile and Project: validates tokens, lists projects
	PasswordFile    string
	Project         string
	DefaultProject  string // of logins that name none
	Domain          string // ID, of users and projects
	CAFile          string
	TenantByName    bool // a project's name is the tenant, not its ID
	AdminRole       string
	TenantAdminRole string
	TenantUserRole  string
}

// TLS is how the REST API is served; no CertFile: without.
type TLS struct{ CertFile, KeyFile, ClientCAFile string }

// Limits of the REST API.
type Limits struct {
	Connections, Requests int
	RequestTimeout        time.Duration
}

func defaultAPI() RawAPI { return RawAPI{Release: "5"} }

func defaultUsers() RawUsers { return RawUsers{TokenLifetime: "24h"} }

func defaultKeystone() RawKeystone {
	return RawKeystone{Domain: "default", Tenant: "id", AdminRole: "admin", TenantAdminRole: "tenant_admin", TenantUserRole: "tenant_user"}
}

func defaultLimits() RawLimits {
	return RawLimits{Connections: 1024, Requests: 256, RequestTimeout: "30s"}
}

func validAPI(c *Config, r Raw) error {
	switch r.API.Release {
	case "5":
		c.API.Release = wire.V5
	case "1.9":
		c.API.Release = wire.V1
	default:
		return fmt.Errorf("api.release: %q is neither 5 nor 1.9", r.API.Release)
	}
	return nil
}

func validUsers(c *Config, r Raw) (err error) {
	c.Users.File = r.Users.File
	if c.Users.File == "" {
		c.Users.File = filepath.Join(c.DataDir, "users")
	}
	if !filepath.IsAbs(c.Users.File) {
		return fmt.Errorf("users.file: %q is not an absolute path", c.Users.File)
	}
	c.Users.TokenLifetime, err = period("users.tokenLifetime", r.Users.TokenLifetime, time.Minute, 366*24*time.Hour)
	return err
}

func validKeystone(c *Config, r Raw) error {
	k := r.Keystone
	if k.URL == "" {
		return nil
	}
	u, err := url.Parse(k.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return fmt.Errorf("keystone.url: %q is not a URL such as https://keystone:5000/v3", k.URL)
	}
	for _, needed := range []struct{ key, value string }{
		{"username", k.Username}, {"passwordFile", k.PasswordFile}, {"project", k.Project}, {"domain", k.Domain},
		{"adminRole", k.AdminRole}, {"tenantAdminRole", k.TenantAdminRole}, {"tenantUserRole", k.TenantUserRole},
	} {
		if needed.value == "" {
			return fmt.Errorf("keystone.%s: is needed with keystone.url", needed.key)
		}
	}
	if k.Tenant != "id" && k.Tenant != "name" {
		return fmt.Errorf("keystone.tenant: %q is neither id nor name", k.Tenant)
	}
	c.Keystone = Keystone{
		URL: k.URL, Username: k.Username, PasswordFile: k.PasswordFile, Project: k.Project, DefaultProject: k.DefaultProject,
		Domain: k.Domain, CAFile: k.CAFile, TenantByName: k.Tenant == "name",
		AdminRole: k.AdminRole, TenantAdminRole: k.TenantAdminRole, TenantUserRole: k.TenantUserRole,
	}
	return nil
}

func validTLS(c *Config, r Raw) error {
	c.TLS = TLS(r.TLS)
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		return fmt.Errorf("tls.certFile and tls.keyFile: give both or none")
	}
	if c.TLS.ClientCAFile != "" && c.TLS.CertFile == "" {
		return fmt.Errorf("tls.clientCAFile: needs tls.certFile and tls.keyFile")
	}
	if (c.Endpoint.CertFile == "") != (c.Endpoint.KeyFile == "") {
		return fmt.Errorf("endpoint.certFile and endpoint.keyFile: give both or none")
	}
	return nil
}

func validLimits(c *Config, r Raw) (err error) {
	c.Limits.Connections, c.Limits.Requests = r.Limits.Connections, r.Limits.Requests
	if c.Limits.Connections < 8 || c.Limits.Connections > 100000 {
		return fmt.Errorf("limits.connections: %d is not between 8 and 100000", c.Limits.Connections)
	}
	if c.Limits.Requests < 1 || c.Limits.Requests > 100000 {
		return fmt.Errorf("limits.requests: %d is not between 1 and 100000", c.Limits.Requests)
	}
	c.Limits.RequestTimeout, err = period("limits.requestTimeout", r.Limits.RequestTimeout, time.Second, time.Hour)
	return err
}

// period reads a duration such as "90s" within bounds.
func period(key, text string, least, most time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", key, err)
	}
	if d < least || d > most {
		return 0, fmt.Errorf("%s: %s is not between %s and %s", key, d, least, most)
	}
	return d, nil
}
