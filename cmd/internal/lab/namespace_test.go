package lab

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Pods that start at once are made by goroutines of their own; Close removes the
// namespaces of all of them.
func TestPodsMadeAtOnceAreAllRemoved(t *testing.T) {
	const runtimes, each = 8, 4
	l, err := New()
	require.NoError(t, err)
	paths := make(chan string, runtimes*each)
	var all sync.WaitGroup
	for i := range runtimes {
		all.Go(func() {
			for k := range each {
				p, err := l.NewPod("red", fmt.Sprintf("p%d-%d", i, k))
				if assert.NoError(t, err) {
					paths <- p.Namespace.Path
				}
			}
		})
	}
	all.Wait()
	assert.NoError(t, l.Close())
	close(paths)
	require.Len(t, paths, runtimes*each)
	for path := range paths {
		_, err := os.Stat(path)
		assert.ErrorIs(t, err, os.ErrNotExist, path)
	}
}
