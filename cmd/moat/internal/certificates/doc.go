// Package certificates keeps the certificate of a TLS server, and the CA of its
// clients, as the files say now.
//
// It makes no certificate and listens nowhere. cmd/moat alone imports it.
package certificates
