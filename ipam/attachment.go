package ipam

// Attachment is the identity of everything that is made for one interface of
// one pod. CNI 1.1.0, section 2, calls (container ID, interface name) on a
// network an attachment; the node is added because GC lists are a node's.
type Attachment struct {
	Node        string `json:"node"`
	Network     string `json:"network"` // "name" of the network configuration
	ContainerID string `json:"containerID"`
	IfName      string `json:"ifName"`
}

func (a Attachment) String() string {
	return a.Network + "/" + a.ContainerID + "/" + a.IfName
}
