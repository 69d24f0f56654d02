package command

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/moatnet/moat/cmd/moat/internal/control"
	"github.com/moatnet/moat/ipam"
)

func (e *env) ip() *cobra.Command {
	cmd := &cobra.Command{Use: "ip", Short: "See who holds which address, reserve and release, and audit",
		Long: "See who holds which address, reserve and release, and audit.\n" +
			"Exit status: 0 done; 1 no: nobody holds the address, or somebody does, or the audit has findings; 2 it could not be done or found out.",
		Annotations: map[string]string{ownStatus: ""}}
	format := output(cmd.PersistentFlags(), "text", "json")
	cmd.AddCommand(e.listIPs(format), e.showIP(format), e.reserveIP(format), e.releaseIP(format), e.usage(format), e.audit(format))
	return cmd
}

// scope is where an address is unique, as flags say it.
type scope struct{ tenant, pool string }

func scopeFlags(flags *pflag.FlagSet) *scope {
	s := &scope{}
	flags.StringVar(&s.tenant, "tenant", "", "of this tenant")
	flags.StringVar(&s.pool, "pool", "", "of this pool of moat-ipam")
	return s
}

// read is the zero scope where neither is given.
func (s *scope) read() (ipam.Scope, error) {
	switch {
	case s.tenant != "" && s.pool != "":
		return ipam.Scope{}, fmt.Errorf("--tenant %s and --pool %s: an address is of one of them", s.tenant, s.pool)
	case s.tenant != "":
		return ipam.Scope{Kind: ipam.TenantScope, Name: s.tenant}, nil
	case s.pool != "":
		return ipam.Scope{Kind: ipam.PoolScope, Name: s.pool}, nil
	}
	return ipam.Scope{}, nil
}

func parseIP(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	switch {
	case err != nil:
		return a, fmt.Errorf("ADDRESS %q is no IP address", text)
	case a.Is4In6():
		return a, fmt.Errorf("ADDRESS %s is an IPv4 address in IPv6 form; write it as %s", text, a.Unmap())
	case a.Zone() != "":
		return a, fmt.Errorf("ADDRESS %s has a zone; leases have none", text)
	}
	return a, nil
}

func (e *env) listIPs(format *string) *cobra.Command {
	var node string
	cmd := &cobra.Command{Use: "list", Short: "List the addresses that are held, and by whom", Args: cobra.NoArgs}
	in := scopeFlags(cmd.Flags())
	cmd.Flags().StringVar(&node, "node", "", "of pods on this node")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := in.read()
		if err != nil {
			return err
		}
		return e.operations(cmd.Context(), func(ops control.Operations) error {
			list, err := ops.Addresses(cmd.Context(), control.AddressQuery{Scope: s, Node: node})
			if err != nil {
				return err
			}
			return printAs(cmd.OutOrStdout(), *format, list, func(w io.Writer) error { return addressTable(w, list) })
		})
	}
	return cmd
}

func (e *env) showIP(format *string) *cobra.Command {
	cmd := &cobra.Command{Use: "show ADDRESS", Short: "Show who holds an address", Args: cobra.ExactArgs(1)}
	in := scopeFlags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		a, err := parseIP(args[0])
		if err != nil {
			return err
		}
		s, err := in.read()
		if err != nil {
			return err
		}
		return e.operations(cmd.Context(), func(ops control.Operations) error {
			list, err := ops.Addresses(cmd.Context(), control.AddressQuery{Scope: s, Address: a})
			if err != nil {
				return err
			}
			if len(list) == 0 {
				return fmt.Errorf("show %s: %w: nobody holds it, and it is not reserved", a, control.ErrNotFound)
			}
			return printAs(cmd.OutOrStdout(), *format, list, func(w io.Writer) error { return addressDetails(w, list) })
		})
	}
	return cmd
}

func (e *env) reserveIP(format *string) *cobra.Command {
	var r control.ReserveRequest
	cmd := &cobra.Command{Use: "reserve ADDRESS", Short: "Keep an address from being leased, but to whom it is for", Args: cobra.ExactArgs(1)}
	in := scopeFlags(cmd.Flags())
	cmd.Flags().StringVar(&r.For, "for", "", "NAMESPACE/POD that may have it when it asks for it; else nobody")
	cmd.Flags().StringVar(&r.Note, "note", "", fmt.Sprintf("why, at most %d bytes", ipam.MaxNote))
	cmd.Flags().DurationVar(&r.During, "until", 0, "how long, such as 24h; else until it is released")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if r.Address, err = parseIP(args[0]); err != nil {
			return err
		}
		if r.Scope, err = in.read(); err != nil {
			return err
		}
		if err := validReserve(cmd, r); err != nil {
			return err
		}
		return e.operations(cmd.Context(), func(ops control.Operations) error {
			a, err := ops.Reserve(cmd.Context(), r)
			if err != nil {
				return err
			}
			return printAs(cmd.OutOrStdout(), *format, a, func(w io.Writer) error {
				_, err := fmt.Fprintf(w, "%s of %s is reserved%s\n", a.Address, a.Scope, terms(a.Reservation))
				return err
			})
		})
	}
	return cmd
}

func validReserve(cmd *cobra.Command, r control.ReserveRequest) error {
	switch {
	case r.Scope == ipam.Scope{}:
		return errors.New("say where it is reserved: --tenant NAME or --pool NAME")
	case r.For != "" && (!strings.Contains(r.For, "/") || strings.HasPrefix(r.For, "/") || strings.HasSuffix(r.For, "/")):
		return fmt.Errorf("--for %q: want NAMESPACE/POD", r.For)
	case cmd.Flags().Changed("until") && r.During < time.Second:
		return fmt.Errorf("--until %s: want at least 1s", r.During)
	}
	return nil
}

func (e *env) releaseIP(format *string) *cobra.Command {
	var r control.ReleaseRequest
	cmd := &cobra.Command{Use: "release ADDRESS", Short: "End a reservation; refused for an address that a pod holds", Args: cobra.ExactArgs(1)}
	in := scopeFlags(cmd.Flags())
	cmd.Flags().BoolVar(&r.Force, "force", false, "also when an attachment holds it whose pod is proven to be gone")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		if r.Address, err = parseIP(args[0]); err != nil {
			return err
		}
		if r.Scope, err = in.read(); err != nil {
			return err
		}
		return e.operations(cmd.Context(), func(ops control.Operations) error {
			done, err := ops.Release(cmd.Context(), r)
			if err != nil {
				return err
			}
			return printAs(cmd.OutOrStdout(), *format, done, func(w io.Writer) error {
				text := "is free"
				if done.Holder != nil {
					text = fmt.Sprintf("is not reserved any more; attachment %s on node %s has it until it ends", done.Holder, done.Holder.Node)
				}
				_, err := fmt.Fprintf(w, "%s of %s %s\n", done.Address, done.Scope, text)
				return err
			})
		})
	}
	return cmd
}
