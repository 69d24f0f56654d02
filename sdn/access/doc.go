// Package access says who may do what with a topology: identities, their roles,
// and an sdn.API as one of them may use it.
//
// It knows no passwords and no HTTP. Authenticators (sdn/auth) and the REST
// server import it.
package access
