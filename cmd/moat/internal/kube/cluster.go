package kube

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

const (
	// defaultGrace is how long the watch may be behind the runtime before the
	// API server is asked.
	defaultGrace = 250 * time.Millisecond
	// defaultPatience is how long the API server is asked for an answer.
	defaultPatience = 10 * time.Second
)

// Options of a Cluster. Access, Node and Logger must be given.
type Options struct {
	Access Access
	// Node is this node's name in Kubernetes.
	Node      string
	UserAgent string
	Logger    *slog.Logger
	// Grace is how long a pod that the picture does not have is waited for
	// before the API server is asked; 0: a quarter of a second.
	Grace time.Duration
	// Patience is how long the API server is asked, where ctx allows more, and how
	// long it may be silent when it is asked for a list or a watch; 0: 10 s.
	Patience time.Duration
}

// Cluster is the picture of this node's pods and of all namespaces. Without Run
// it stays empty, and each question goes to the API server.
type Cluster struct {
	opt        Options
	log        *slog.Logger
	client     metadata.Interface
	pods       cache.SharedIndexInformer
	namespaces cache.SharedIndexInformer
	news       news
}

var (
	podsResource       = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	namespacesResource = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
)

// New makes a cluster that watches nothing yet. It asks nothing: an API server
// that cannot be reached now may be later.
func New(o Options) (*Cluster, error) {
	if o.Node == "" || o.Logger == nil {
		return nil, errors.New("new cluster: node and logger are needed")
	}
	config, err := o.Access.config()
	if err != nil {
		return nil, err
	}
	config.UserAgent = o.UserAgent
	config.QPS = -1 // the API server says itself when it has enough (429)
	client, err := metadata.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("kubernetes: %w", err)
	}
	o.Grace, o.Patience = cmp.Or(o.Grace, defaultGrace), cmp.Or(o.Patience, defaultPatience)
	c := &Cluster{opt: o, log: o.Logger, client: client, news: news{next: make(chan struct{})}}
	c.pods = c.informer(podsResource, c.ofNode())
	c.namespaces = c.informer(namespacesResource, fields.Everything())
	for what, i := range map[string]cache.SharedIndexInformer{"pods": c.pods, "namespaces": c.namespaces} {
		if err := c.prepare(i, &trouble{of: what, log: o.Logger}); err != nil {
			return nil, fmt.Errorf("kubernetes: follow %s: %w", what, err)
		}
	}
	return c, nil
}

// ofNode selects the pods of this node.
func (c *Cluster) ofNode() fields.Selector {
	return fields.OneTermEqualSelector("spec.nodeName", c.opt.Node)
}

func (c *Cluster) informer(of schema.GroupVersionResource, selector fields.Selector) cache.SharedIndexInformer {
	resource := c.client.Resource(of)
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = selector.String()
			ctx, cancel := context.WithTimeout(ctx, c.opt.Patience)
			defer cancel()
			return resource.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = selector.String()
			return begun(ctx, c.opt.Patience, func(ctx context.Context) (watch.Interface, error) { return resource.Watch(ctx, o) })
		},
	}
	return cache.NewSharedIndexInformer(cache.ToListWatcherWithWatchListSemantics(lw, c.client), &metav1.PartialObjectMetadata{}, 0, cache.Indexers{})
}

// begun starts a watch that may last, and gives up one that is not answered in
// time: of an API server that hung no other word would come.
func begun(ctx context.Context, within time.Duration, start func(context.Context) (watch.Interface, error)) (watch.Interface, error) {
	ctx, cancel := context.WithCancel(ctx)
	silent := time.AfterFunc(within, cancel)
	w, err := start(ctx)
	if !silent.Stop() && err == nil {
		w.Stop()
		err = context.DeadlineExceeded
	}
	if err != nil {
		cancel()
		return nil, err
	}
	return watched{w, cancel}, nil
}

// watched is a watch that gives back its context.
type watched struct {
	watch.Interface
	cancel context.CancelFunc
}

// Stop implements watch.Interface.
func (w watched) Stop() {
	w.Interface.Stop()
	w.cancel()
}

func (c *Cluster) prepare(i cache.SharedIndexInformer, t *trouble) error {
	if err := i.SetTransform(slim); err != nil {
		return err
	}
	if err := i.SetWatchErrorHandlerWithContext(t.hear); err != nil {
		return err
	}
	changed := func(any) { t.over(); c.news.tell() }
	_, err := i.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: changed, UpdateFunc: func(_, o any) { changed(o) },
	})
	return err
}

// slim leaves out what nobody reads.
func slim(o any) (any, error) {
	if m, ok := o.(*metav1.PartialObjectMetadata); ok {
		m.ManagedFields, m.Finalizers = nil, nil
	}
	return o, nil
}

// Run follows the API server until ctx ends; it survives its absence.
func (c *Cluster) Run(ctx context.Context) error {
	ctx = klog.NewContext(ctx, logr.FromSlogHandler(quiet{c.log.Handler()}))
	var g errgroup.Group
	for _, i := range []cache.SharedIndexInformer{c.pods, c.namespaces} {
		g.Go(func() error { i.RunWithContext(ctx); return nil })
	}
	return g.Wait()
}

// news lets many wait for the next change of the picture.
type news struct {
	mu   sync.Mutex
	next chan struct{}
}

func (n *news) wait() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.next
}

func (n *news) tell() {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.next)
	n.next = make(chan struct{})
}
