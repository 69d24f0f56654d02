package netns

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Remove removes the pair by its host end. It returns when the kernel has
// announced that both ends are gone; the kernel's own clean-up of their memory,
// which takes some 20 ms, ends later, in a goroutine that touches nothing else.
//
// A pair or a namespace that is gone already is no error. An interface of that
// name with another alias is left alone: ErrForeign.
func Remove(ctx context.Context, hostNS, hostName, hostAlias string) error {
	if err := remove(ctx, hostNS, hostName, hostAlias); err != nil {
		return fmt.Errorf("remove veth %s: %w", hostName, err)
	}
	return nil
}

func remove(ctx context.Context, hostNS, hostName, hostAlias string) error {
	ns, err := openNamespace(hostNS)
	if errors.Is(err, ErrNoNamespace) {
		return nil
	}
	if err != nil {
		return err
	}
	if ns != nil {
		defer ns.Close()
	}
	c, err := dial(ns)
	if errors.Is(err, ErrNoNamespace) {
		return nil
	}
	if err != nil {
		return err
	}
	end, err := findLink(ctx, c, hostName)
	switch {
	case err == nil && end == nil:
	case err == nil && !ours(end, hostNS, hostAlias):
		err = fmt.Errorf("%s has alias %q: %w", hostName, end.alias, ErrForeign)
	case err == nil:
		return removeAnnounced(ctx, ns, c, end.index)
	}
	c.close()
	return err
}

// removeAnnounced removes an interface by way of c, which it closes when the
// request has ended, and returns at the announcement.
func removeAnnounced(ctx context.Context, ns *os.File, c *conn, index int) error {
	watch, err := watchLinks(ns)
	if err != nil {
		c.close()
		return err
	}
	defer watch.close()
	watching, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		ended <- c.deleteLink(context.WithoutCancel(ctx), index)
		c.close()
		stop()
	}()
	for {
		batch, err := watch.receive(watching)
		switch {
		case errors.Is(err, unix.ENOBUFS), err != nil && ctx.Err() == nil:
			return <-ended // the announcement was lost, or the kernel refused
		case err != nil:
			return err
		}
		for _, m := range batch {
			if isRemoval(m, index) {
				return nil
			}
		}
	}
}

// isRemoval says whether a message announces that the interface is gone; the
// bridge's own announcement that a port left it is of another family.
func isRemoval(m message, index int) bool {
	return m.kind == unix.RTM_DELLINK && len(m.body) >= unix.SizeofIfInfomsg &&
		m.body[0] == unix.AF_UNSPEC && int(number(m.body[4:])) == index
}

func deleteLink(index int) *request {
	return newRequest(unix.RTM_DELLINK, 0, unix.IfInfomsg{Index: int32(index)})
}

// deleteLink removes an interface and waits until the kernel is done with it.
func (c *conn) deleteLink(ctx context.Context, index int) error {
	answers, err := c.exchange(ctx, deleteLink(index))
	if err != nil {
		return err
	}
	return ignoreGone(answers[0].err)
}

func ignoreGone(err error) error {
	if errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}
