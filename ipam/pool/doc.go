// Package pool says which addresses an IPAM configuration offers: sets of
// ranges, checked and numbered. An attachment gets one address of each set, so
// that a pool with two sets is dual-stack.
//
// It is pure: it reads no file and holds no lease. The stores of package ipam
// and whoever reads configurations import it.
package pool
