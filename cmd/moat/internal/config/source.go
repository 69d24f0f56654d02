package config

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"time"
)

// RawNetworkSource is the key networkSource.
type RawNetworkSource struct {
	URL          string   `json:"url"`
	Timeout      string   `json:"timeout"`
	CAFile       string   `json:"caFile"`
	CertFile     string   `json:"certFile"`
	KeyFile      string   `json:"keyFile"`
	TokenFile    string   `json:"tokenFile"`
	Username     string   `json:"username"`
	PasswordFile string   `json:"passwordFile"`
	NetworksDir  string   `json:"networksDir"`
	Namespaces   []string `json:"namespaces"`
	Required     bool     `json:"required"`
}

// NetworkSource is an HTTP service that says which networks a pod gets; no URL:
// there is none.
type NetworkSource struct {
	URL          string
	Timeout      time.Duration
	CAFile       string
	CertFile     string // of this client, where the source wants one
	KeyFile      string
	TokenFile    string
	Username     string
	PasswordFile string
	NetworksDir  string   // configurations of the networks that it names
	Namespaces   []string // whose pods it is asked about; none: all
	Required     bool     // a pod that it names no network for is refused
}

func defaultNetworkSource() RawNetworkSource {
	return RawNetworkSource{Timeout: "5s", NetworksDir: "/etc/moat/net.d", Required: true}
}

var namespaceForm = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

func validNetworkSource(c *Config, r Raw) (err error) {
	s := r.NetworkSource
	if s.URL == "" {
		return nil
	}
	u, err := url.Parse(s.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return fmt.Errorf("networkSource.url: %q is not a URL such as https://networks.example:8443/pods, without credentials in it", s.URL)
	}
	c.NetworkSource = NetworkSource{
		URL: s.URL, CAFile: s.CAFile, CertFile: s.CertFile, KeyFile: s.KeyFile, TokenFile: s.TokenFile, Username: s.Username,
		PasswordFile: s.PasswordFile, NetworksDir: s.NetworksDir, Namespaces: s.Namespaces, Required: s.Required,
	}
	if c.NetworkSource.Timeout, err = period("networkSource.timeout", s.Timeout, 100*time.Millisecond, time.Minute); err != nil {
		return err
	}
	if !filepath.IsAbs(s.NetworksDir) {
		return fmt.Errorf("networkSource.networksDir: %q is not an absolute path", s.NetworksDir)
	}
	for i, n := range s.Namespaces {
		if !namespaceForm.MatchString(n) {
			return fmt.Errorf("networkSource.namespaces[%d]: %q is not the name of a namespace (RFC 1123)", i, n)
		}
	}
	return s.validCredentials(u)
}

// validCredentials wants one kind of Authorization at most, and neither it nor a
// certificate where others could read along.
func (s RawNetworkSource) validCredentials(u *url.URL) error {
	switch {
	case (s.CertFile == "") != (s.KeyFile == ""):
		return fmt.Errorf("networkSource.certFile and networkSource.keyFile: give both or none")
	case (s.Username == "") != (s.PasswordFile == ""):
		return fmt.Errorf("networkSource.username and networkSource.passwordFile: give both or none")
	case s.TokenFile != "" && s.Username != "":
		return fmt.Errorf("networkSource.tokenFile and networkSource.username: give one of them, a request has room for one")
	case u.Scheme == "https":
		return nil
	case s.CAFile != "" || s.CertFile != "":
		return fmt.Errorf("networkSource.caFile and networkSource.certFile: need https in networkSource.url, which is %q", s.URL)
	case (s.TokenFile != "" || s.Username != "") && !loopback(u.Hostname()):
		return fmt.Errorf("networkSource.tokenFile and networkSource.passwordFile: need https in networkSource.url, which is %q: http would show them to others", s.URL)
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
