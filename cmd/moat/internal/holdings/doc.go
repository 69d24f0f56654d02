// Package holdings gives back what pods hold that are gone without a DEL, after a
// reboot or when a runtime forgot them: addresses of pools, and attachments with
// all that was made for them. And it has made again what somebody deleted of pods
// that live.
//
// It proves that a pod is gone before it takes anything, and changes no interface
// itself. The daemon runs it.
package holdings
