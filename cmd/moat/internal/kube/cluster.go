package kube

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
	// Patience is how long the API server is asked, where ctx allows more; 0: 10 s.
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
	trouble    trouble
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
	c.pods = c.informer(podsResource, fields.OneTermEqualSelector("spec.nodeName", o.Node))
	c.namespaces = c.informer(namespacesResource, fields.Everything())
	for _, i := range []cache.SharedIndexInformer{c.pods, c.namespaces} {
		if err := c.prepare(i); err != nil {
			return nil, fmt.Errorf("kubernetes: %w", err)
		}
	}
	return c, nil
}

func (c *Cluster) informer(of schema.GroupVersionResource, selector fields.Selector) cache.SharedIndexInformer {
	resource := c.client.Resource(of)
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = selector.String()
			return resource.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = selector.String()
			return resource.Watch(ctx, o)
		},
	}
	return cache.NewSharedIndexInformer(cache.ToListWatcherWithWatchListSemantics(lw, c.client), &metav1.PartialObjectMetadata{}, 0, cache.Indexers{})
}

func (c *Cluster) prepare(i cache.SharedIndexInformer) error {
	if err := i.SetTransform(slim); err != nil {
		return err
	}
	if err := i.SetWatchErrorHandlerWithContext(c.complain); err != nil {
		return err
	}
	changed := func(any) { c.trouble.over(c.log); c.news.tell() }
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

// complain says once that the API server cannot be followed, until it can again.
func (c *Cluster) complain(_ context.Context, _ *cache.Reflector, err error) {
	ended := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	if !ended && !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) {
		c.trouble.begin(c.log, err)
	}
}

// trouble is whether the API server cannot be followed.
type trouble struct {
	mu sync.Mutex
	on bool
}

func (t *trouble) begin(log *slog.Logger, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.on {
		log.Warn("the Kubernetes API server cannot be followed; it is tried again", "error", err)
	}
	t.on = true
}

func (t *trouble) over(log *slog.Logger) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.on {
		log.Info("the Kubernetes API server is followed again")
	}
	t.on = false
}

// quiet passes on errors alone, as debug messages: what matters of the client
// library's words is said by trouble.
type quiet struct{ slog.Handler }

func (q quiet) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelInfo && q.Handler.Enabled(ctx, slog.LevelDebug)
}

func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	r.Level = slog.LevelDebug
	return q.Handler.Handle(ctx, r)
}

func (q quiet) WithAttrs(a []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(a)} }
func (q quiet) WithGroup(n string) slog.Handler      { return quiet{q.Handler.WithGroup(n)} }

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
