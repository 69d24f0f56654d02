// Package kubetest is a stand-in for a Kubernetes API server: the metadata of
// pods and namespaces by get, list and watch, with what goes wrong with them.
//
// It knows no other objects, no writes and no versions but v1. Tests import it.
package kubetest
