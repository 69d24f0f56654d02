package doctor

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/moatnet/moat/cmd/moat/internal/control"
)

// owed is how long something may be left to be detached.
const owed = 5 * time.Minute

// debts are what was to be detached and is not: their files say since when.
func (x *examination) debts(context.Context) error {
	dir := filepath.Join(x.Config.DataDir, "tombstones")
	files, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list tombstones: %w", err)
	}
	old, since := 0, x.Now
	for _, f := range files {
		info, err := f.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // paid meanwhile
		}
		if err != nil {
			return err
		}
		if at := info.ModTime(); x.Now.Sub(at) > owed {
			old++
			if at.Before(since) {
				since = at
			}
		}
	}
	if old > 0 {
		x.found(fmt.Sprintf("%d pods are deleted and not detached yet, the first since %s (%s)", old, since.UTC().Format(time.RFC3339), dir),
			"their addresses and ports are not free", "moat status says whether etcd and the SDN answer; the daemon finishes this within 5 s when they do, and its log says what keeps it")
	}
	return nil
}

// expiry is how long a certificate should be valid yet.
const expiry = 14 * 24 * time.Hour

// certificates looks when those end that the configuration names.
func (x *examination) certificates(context.Context) error {
	c := x.Config
	var errs []error
	for key, path := range map[string]string{
		"tls.certFile": c.TLS.CertFile, "tls.clientCAFile": c.TLS.ClientCAFile,
		"etcd.certFile": c.Etcd.CertFile, "etcd.caFile": c.Etcd.CAFile,
		"endpoint.certFile": c.Endpoint.CertFile, "endpoint.caFile": c.Endpoint.CAFile,
		"keystone.caFile": c.Keystone.CAFile, "kubernetes.caFile": c.Kubernetes.CAFile,
		"networkSource.certFile": c.NetworkSource.CertFile, "networkSource.caFile": c.NetworkSource.CAFile,
	} {
		if path != "" {
			errs = append(errs, x.certificate(key, path))
		}
	}
	return errors.Join(errs...)
}

func (x *examination) certificate(key, path string) error {
	rest, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("%s: %w", key, err)
	}
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", key, path, err)
		}
		if cert.NotAfter.Sub(x.Now) < expiry {
			x.found(fmt.Sprintf("%s: the certificate of %q in %s ends at %s", key, cert.Subject, path, cert.NotAfter.UTC().Format(time.RFC3339)),
				"connections that need it are refused from then on", "replace "+path+"; that of tls.certFile is used at once, others after a restart of moat up")
		}
	}
}

// secrets looks whether files that hold any can be read by others.
func (x *examination) secrets(context.Context) error {
	c := x.Config
	most := map[string]fs.FileMode{c.DataDir: 0o700, c.Socket: 0o660, control.SocketFor(c.Socket): 0o600}
	for _, path := range []string{filepath.Join(c.DataDir, "admin.password"), filepath.Join(c.DataDir, "users"), c.Users.File,
		c.TLS.KeyFile, c.Etcd.KeyFile, c.Etcd.PasswordFile, c.Endpoint.KeyFile, c.Endpoint.PasswordFile, c.Keystone.PasswordFile,
		c.NetworkSource.KeyFile, c.NetworkSource.TokenFile, c.NetworkSource.PasswordFile} {
		if path != "" {
			most[path] = 0o600
		}
	}
	var errs []error
	for path, mode := range most {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // whoever needs it says so
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if has := info.Mode().Perm(); has&^mode != 0 {
			x.found(fmt.Sprintf("%s has mode %04o; at most %04o is safe", path, has, mode), "others on this node can read or use it", fmt.Sprintf("chmod %04o %s", mode, path))
		}
	}
	return errors.Join(errs...)
}
