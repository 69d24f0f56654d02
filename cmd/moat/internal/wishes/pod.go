package wishes

// Pod is what the API server says of a pod, as far as wishes are read from it.
type Pod struct {
	Namespace    string
	Name         string
	UID          string
	GenerateName string // what Name was made of; "": it was chosen
	Labels       map[string]string
	Annotations  map[string]string
	// Defaults are the annotations of the pod's namespace.
	Defaults map[string]string
	Owner    Owner  // its controller; zero: none
	Node     string // where it runs
}

// Owner is the controller of a pod.
type Owner struct {
	Kind string
	Name string
}
