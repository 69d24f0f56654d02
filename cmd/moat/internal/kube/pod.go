package kube

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"

	"github.com/moatnet/moat/cmd/moat/internal/wishes"
)

// The kinds of error of Pod.
var (
	// ErrUnavailable: the API server did not answer, or not now.
	ErrUnavailable = errors.New("the Kubernetes API server does not answer")
	// ErrRefused: the API server knows the caller, or not, and tells it nothing.
	ErrRefused = errors.New("the Kubernetes API server refuses the question")
	// ErrGone: the pod is not there, or another one of its name is.
	ErrGone = errors.New("no such pod")
)

// mirrorOf is the annotation by which the API server's copy of a static pod
// names the UID that the runtime knows the pod by.
const mirrorOf = "kubernetes.io/config.mirror"

// Pod is the pod of a name with the UID uid, and what its namespace says. It
// answers from the picture, also while the API server is away; a pod that the
// picture does not have is waited for and then asked for. Without a uid the
// picture's pod may be an earlier one, so the API server is asked.
func (c *Cluster) Pod(ctx context.Context, namespace, name, uid string) (wishes.Pod, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opt.Patience)
	defer cancel()
	pod, err := c.find(ctx, namespace, name, uid)
	if err != nil {
		return wishes.Pod{}, fmt.Errorf("pod %s/%s: %w", namespace, name, err)
	}
	around, err := c.namespace(ctx, namespace)
	if err != nil {
		return wishes.Pod{}, fmt.Errorf("namespace %s: %w", namespace, err)
	}
	p := wishes.Pod{Namespace: namespace, Name: name, UID: string(pod.UID), GenerateName: pod.GenerateName,
		Labels: pod.Labels, Annotations: pod.Annotations, Defaults: around.Annotations, Node: c.opt.Node}
	if owner := metav1.GetControllerOfNoCopy(pod); owner != nil {
		p.Owner = wishes.Owner{Kind: owner.Kind, Name: owner.Name}
	}
	return p, nil
}

// find looks into the picture, and asks when the picture has had its time. What
// comes first counts.
func (c *Cluster) find(ctx context.Context, namespace, name, uid string) (*metav1.PartialObjectMetadata, error) {
	ctx, cancel := context.WithCancel(ctx)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	asked := make(chan answer, 1)
	begin := time.After(c.grace(uid))
	for {
		news := c.news.wait()
		if pod := c.pictured(namespace, name, uid); pod != nil {
			return pod, nil
		}
		select {
		case <-news:
		case <-begin:
			asking.Go(func() { asked <- c.ask(ctx, c.client.Resource(podsResource).Namespace(namespace), name) })
		case a := <-asked:
			return a.of(uid)
		case <-ctx.Done():
			asking.Wait()
			select {
			case a := <-asked: // which says more than that time is over
				return a.of(uid)
			default:
				return nil, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
			}
		}
	}
}

// grace is how long the picture is waited for: not at all where it cannot tell.
func (c *Cluster) grace(uid string) time.Duration {
	if uid == "" || !c.pods.HasSynced() {
		return 0
	}
	return c.opt.Grace
}

// pictured is the pod as the picture has it; nil: it has not.
func (c *Cluster) pictured(namespace, name, uid string) *metav1.PartialObjectMetadata {
	pod := stored(c.pods, namespace+"/"+name)
	if pod == nil || uid == "" || !is(pod, uid) {
		return nil
	}
	return pod
}

func stored(i cache.SharedIndexInformer, key string) *metav1.PartialObjectMetadata {
	o, ok, err := i.GetStore().GetByKey(key)
	if err != nil || !ok {
		return nil
	}
	m, _ := o.(*metav1.PartialObjectMetadata)
	return m
}

func is(pod *metav1.PartialObjectMetadata, uid string) bool {
	return string(pod.UID) == uid || pod.Annotations[mirrorOf] == uid
}

func (c *Cluster) namespace(ctx context.Context, name string) (*metav1.PartialObjectMetadata, error) {
	if n := stored(c.namespaces, name); n != nil {
		return n, nil
	}
	a := c.ask(ctx, c.client.Resource(namespacesResource), name)
	return a.object, a.err
}

// NodePods are the UIDs of this node's pods that are not being deleted, those of static
// pods as the runtime knows them. They are asked of the API server now: the picture may
// be of a time before it went away.
func (c *Cluster) NodePods(ctx context.Context) (map[string]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opt.Patience)
	defer cancel()
	list, err := c.client.Resource(podsResource).List(ctx, metav1.ListOptions{FieldSelector: c.ofNode().String()})
	if err != nil {
		return nil, fmt.Errorf("pods of node %s: %w", c.opt.Node, kind(err))
	}
	pods := map[string]bool{}
	for _, p := range list.Items {
		if p.DeletionTimestamp == nil {
			pods[string(p.UID)], pods[p.Annotations[mirrorOf]] = true, true
		}
	}
	delete(pods, "")
	return pods, nil
}

// answer is what the API server said.
type answer struct {
	object *metav1.PartialObjectMetadata
	err    error
}

// of is the answer to the question for the pod with a UID.
func (a answer) of(uid string) (*metav1.PartialObjectMetadata, error) {
	if a.err == nil && uid != "" && !is(a.object, uid) {
		return nil, fmt.Errorf("%w any more: the runtime's has the UID %s, the API server's %s", ErrGone, uid, a.object.UID)
	}
	return a.object, a.err
}

// ask asks until there is an answer or ctx ends.
// A token that is refused may have been replaced, so there is a second question.
func (c *Cluster) ask(ctx context.Context, resource metadata.ResourceInterface, name string) answer {
	var last error
	again := false
	o, err := backoff.Retry(ctx, func() (*metav1.PartialObjectMetadata, error) {
		o, err := resource.Get(ctx, name, metav1.GetOptions{})
		if err == nil {
			return o, nil
		}
		renew := apierrors.IsUnauthorized(err) && !again
		if err = kind(err); !renew && !errors.Is(err, ErrUnavailable) {
			return nil, backoff.Permanent(err)
		}
		again = again || renew
		if ctx.Err() == nil || last == nil {
			last = err
		}
		return nil, err
	}, backoff.WithMaxElapsedTime(0))
	if err != nil && errors.Is(err, ctx.Err()) && last != nil {
		err = last // says more than that time is over
	}
	return answer{o, err}
}

// kind tells what an error of the API server means.
func kind(err error) error {
	switch {
	case apierrors.IsNotFound(err):
		return fmt.Errorf("%w: %w", ErrGone, err)
	case apierrors.IsUnauthorized(err), apierrors.IsForbidden(err):
		return fmt.Errorf("%w: %w", ErrRefused, err)
	default:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
}
