// Package ipamtest is the suite that every ipam.Store passes. Only tests import
// it.
package ipamtest
