package holdings

import (
	"context"
	"fmt"
)

// Cluster knows the pods of this node from elsewhere than its kernel, as Kubernetes
// does.
type Cluster interface {
	// NodePods are the UIDs of the pods that are on this node and are not being deleted.
	NodePods(ctx context.Context) (map[string]bool, error)
}

// Listed are the UIDs of a cluster's pods of this node; none and no error without a
// cluster. As long as it cannot be asked nothing is proven of any pod.
func Listed(ctx context.Context, c Cluster) (map[string]bool, error) {
	if c == nil {
		return nil, nil
	}
	pods, err := c.NodePods(ctx)
	if err != nil {
		return nil, fmt.Errorf("nothing is taken from pods that seem to be gone while their cluster cannot be asked: %w", err)
	}
	return pods, nil
}
