package dataplane

import (
	"errors"

	"github.com/moatnet/moat/sdn"
)

// admit lets the uplink's traffic through the forward chains of others that
// drop what they do not know; what may pass is decided by the tenants' chains.
// Rules that are not needed any more are taken back.
func (j *job) admit() error {
	if j.space.name != "" {
		return nil
	}
	stamp, dev := j.cfg.Plan.UplinkStamp(), sdn.InterfaceName(j.cfg.Plan.Uplink.Port)
	_, uplink := j.want.Link(dev)
	chains, err := j.space.open.ForeignForward(stamp)
	if err != nil {
		return err
	}
	var errs []error
	for _, c := range chains {
		errs = append(errs, j.admitIn(c, dev, stamp, uplink && c.Drops))
	}
	if uplink {
		errs = append(errs, j.warnOfLegacy())
	}
	return errors.Join(errs...)
}

// admitIn keeps one rule for each direction in a chain, or none.
func (j *job) admitIn(c ForeignChain, dev, stamp string, wanted bool) error {
	kept := make(map[bool]bool)
	for _, r := range c.Rules {
		if wanted && !kept[r.In] {
			kept[r.In] = true
			continue
		}
		j.report.Tables++
		if _, err := j.committing(j.space, func() (int, error) { return 1, j.space.open.Retract(c, r) }); err != nil {
			return err
		}
	}
	for _, in := range []bool{true, false} {
		if !wanted || kept[in] {
			continue
		}
		j.report.Tables++
		if _, err := j.committing(j.space, func() (int, error) { return 1, j.space.open.Admit(c, dev, stamp, in) }); err != nil {
			return err
		}
	}
	return nil
}

// warnOfLegacy says once that there are rules that Moat cannot see.
func (j *job) warnOfLegacy() error {
	legacy, err := j.space.open.LegacyFilter()
	if err != nil || !legacy {
		return err
	}
	j.legacy.Do(func() {
		j.log.Warn("the host has a filter table of legacy iptables, which Moat does not edit; if its FORWARD policy is DROP, pods reach nothing outside",
			"file", "/proc/net/ip_tables_names")
	})
	return nil
}
