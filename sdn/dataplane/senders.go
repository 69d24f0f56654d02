package dataplane

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/moatnet/moat/sdn/nft"
	"github.com/moatnet/moat/sdn/plan"
)

// A namespace with bridges has a table that lets frames in from those alone who
// may send them, by the interfaces of known ports alone. So an interface that is
// made before its port is known, as a pod's is, sends nothing until then; and as
// one more port is a few elements of that table, it is looked at alone.

// members are the interfaces on bridges, by their names.
func members(links []plan.Link) map[string]plan.Link {
	out := make(map[string]plan.Link)
	for _, l := range links {
		if l.Master != "" {
			out[l.Name] = l
		}
	}
	return out
}

// moveMembers writes, in one transaction, the senders of the wanted interfaces,
// and takes out others and theirs.
func (j *job) moveMembers(over []string) error {
	var have, want []plan.Link
	next := members(j.want.Links)
	for _, name := range slices.Concat(over, slices.Sorted(maps.Keys(next))) {
		was, known := j.space.members[name]
		now, wanted := next[name]
		if known == wanted && reflect.DeepEqual(was.Senders, now.Senders) {
			continue
		}
		if known {
			have = append(have, was)
		}
		if wanted {
			want = append(want, now)
		}
	}
	if len(have)+len(want) == 0 {
		return nil
	}
	c := j.cfg.Plan
	n, err := j.committing(j.space, func() (int, error) {
		return j.space.open.SetTables(j.ctx, []nft.Table{c.SendersPart(have)}, []nft.Table{c.SendersPart(want)})
	})
	j.report.Tables += n
	if err != nil {
		return fmt.Errorf("table of senders: %w", err)
	}
	for _, l := range have {
		delete(j.space.members, l.Name)
	}
	for _, l := range want {
		j.space.members[l.Name] = l
	}
	j.space.moved = true
	return nil
}

// recallMembers brings the picture of the tables up to what moveMembers wrote.
func (j *job) recallMembers() {
	if !j.space.moved {
		return
	}
	now := j.cfg.Plan.Senders(slices.Collect(maps.Values(j.space.members)))
	tables := slices.Clone(j.space.seen.tables)
	for i, t := range tables {
		if j.cfg.Plan.IsSenders(t) {
			tables[i] = now
		}
	}
	j.space.seen.tables = tables
	j.space.moved = false
}

// namesPorts says whether a table is that of a bridge's filters, in which a
// further port may be more than a member.
func (j *job) namesPorts(t nft.Table) bool { return t.Family == nft.Bridge && !j.cfg.Plan.IsSenders(t) }
