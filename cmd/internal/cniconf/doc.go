// Package cniconf reads what a container runtime hands to a CNI plugin as far
// as every part of Moat reads it alike: the CNI_* variables, the head of the
// network configuration, the specification's versions and its error object
// (CNI 1.1.0, sections 2 to 5).
//
// It is linked into the thin plugins, so it imports nothing but the small half
// of the standard library. It does no I/O. The programs under cmd may import it.
package cniconf
