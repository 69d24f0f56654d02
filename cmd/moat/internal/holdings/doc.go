// Package holdings gives back what pods hold that are gone without a DEL, after a
// reboot or when a runtime forgot them: addresses of pools, and attachments with
// all that was made for them.
//
// It proves that a pod is gone before it takes anything, and changes no interface
// itself. The daemon runs it.
package holdings
