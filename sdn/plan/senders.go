package plan

import (
	"github.com/moatnet/moat/sdn/filter"
	"github.com/moatnet/moat/sdn/nft"
)

// Senders is the table that lets frames into the bridges of a namespace by these
// of its interfaces alone, and from their senders alone.
func (c Config) Senders(links []Link) nft.Table {
	return filter.Senders(c.Installation, entries(links))
}

// SendersPart is that table with no more than what these interfaces add to it.
func (c Config) SendersPart(links []Link) nft.Table {
	return filter.SendersPart(c.Installation, entries(links))
}

// IsSenders says whether a table is a namespace's table of senders.
func (c Config) IsSenders(t nft.Table) bool {
	return t.Family == nft.Bridge && t.Name == filter.SendersTable(c.Installation)
}

func entries(links []Link) []filter.Entry {
	var out []filter.Entry
	for _, l := range links {
		if l.Master != "" {
			out = append(out, filter.Entry{Interface: l.Name, Senders: l.Senders})
		}
	}
	return out
}
