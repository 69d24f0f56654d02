// Package delegate runs another CNI plugin once, as CNI 1.1.0, section 4, has it:
// found in CNI_PATH by its base name, with the CNI_ variables and the network
// configuration that it is given, and with everything else of the environment.
//
// A plugin is ended with all its children when its time is over, when the caller
// gives up, and, by the kernel, when the caller's process dies: for that the plugin
// has one more file, descriptor 3, a pipe that nobody writes to. Only a child that
// leaves the plugin's process group escapes. What it prints is bounded. The
// package knows nothing of what plugins do, links neither net/http, etcd nor
// netlink, and decides nothing: the programs under cmd may import it.
package delegate
