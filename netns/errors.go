package netns

import "errors"

// The kinds of failure a caller can tell apart with errors.Is.
var (
	// ErrInterfaceExists: the pod has an interface of that name already, and it
	// is not one that Make made for the same host end.
	ErrInterfaceExists = errors.New("the pod has an interface of this name already")
	// ErrRouteExists: the pod has a route to the same destination, such as a
	// default route by way of another interface.
	ErrRouteExists = errors.New("the pod has a route to this destination already")
	// ErrNoNamespace: the namespace does not exist (any more), or what is at its
	// path is no network namespace.
	ErrNoNamespace = errors.New("no such network namespace")
	// ErrForeign: an interface of the host end's name exists with another alias.
	ErrForeign = errors.New("the interface belongs to someone else")
	// ErrMissing: something that Make made is gone or was changed (Check).
	ErrMissing = errors.New("not as it was made")
)
