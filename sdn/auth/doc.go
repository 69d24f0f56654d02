// Package auth knows who someone is: one user with a password, the users of a
// file, or those of Keystone v3. Each is an access.Authenticator.
//
// It serves no HTTP, decides nothing about objects, keeps no password and no
// token in plain text longer than a call, and logs neither. Whoever serves the
// API, and the command that edits the users file, import it.
package auth
