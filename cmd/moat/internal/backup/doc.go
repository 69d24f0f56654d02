// Package backup is the file that `moat backup` writes and `moat restore` reads:
// the keys of an installation as they were at one revision of etcd, and the files
// of a node's data directory. The file is text:
//
//	{"format":"moat backup","version":1,…}     Header, the first line
//	{"key":"sdn/meta/schema","value":"eyJvYm…"}  a key below the prefix, in base64
//	{"file":"host_id","content":"Njg…"}          a file of the data directory
//	{"sha256":"6b51…"}                           of all lines before, the last line
//
// It knows no etcd and no configuration, and decides nothing; it logs nothing and
// names no content in its errors, for there are secrets in it. Package node alone
// imports it.
package backup
