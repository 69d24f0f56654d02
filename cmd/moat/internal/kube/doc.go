// Package kube reads from a Kubernetes API server what the CNI call does not
// bring: the annotations of this node's pods and of their namespaces. It keeps a
// picture by watching, and asks when the picture is behind.
//
// It reads metadata alone, writes nothing, and judges no annotation. The daemon
// imports it.
package kube
