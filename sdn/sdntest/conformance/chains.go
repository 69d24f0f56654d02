package conformance

import (
	"github.com/stretchr/testify/require"
)

var chainResource = resource{
	prefix: "3.4.chain", media: "Chain-v1",
	prepare: func(w *Wire) setting { return setting{collection: "/chains", least: w.named()} },
}

func chainCases() []Case {
	all := chainResource.cases(
		idField(false), nameField(), tenantField(),
		field{name: "rules", link: "/rules"},
		ownURI(func(o dto) string { return "/chains/" + o.text("id") }),
	)
	only5(all, "name", "tenantId")
	all = append(all, collectionCases("3.4.chain.uri.", "/chains", "Chain-v1", func(w *Wire) dto { return w.named() })...)
	return append(all,
		proves("3.4.chain.uri.put", func(w *Wire) {
			c := w.chain()
			w.errorBody(405, w.typed("PUT", c.text("uri"), "Chain-v1", w.json(c.with("name", "other"))))
			require.Equal(w.t, c, w.get(c.text("uri"), "Chain-v1"))
		}),
		proves("3.4.chain.rule.duplicateName", func(w *Wire) {
			require.Equal(w.t, w.chain()["name"], w.chain()["name"])
		}),
		proves("3.4.chain.rule.delete.rules", func(w *Wire) {
			c := w.chain()
			first, second := w.rule(c, dto{"type": "accept"}), w.rule(c, dto{"type": "drop"})
			w.remove(c.text("uri"))
			w.missing(first.text("uri"))
			w.missing(second.text("uri"))
			w.missing(c.text("rules"))
		}),
		proves("3.4.chain.rule.delete.jumps", func(w *Wire) {
			target, c := w.chain(), w.chain()
			stays := w.rule(c, dto{"type": "accept"})
			jump := w.rule(c, dto{"type": "jump", "jumpChainId": target["id"], "position": 1})
			last := w.rule(c, dto{"type": "jump", "jumpChainId": target["id"], "position": 3})
			w.remove(target.text("uri"))
			w.missing(jump.text("uri"))
			w.missing(last.text("uri"))
			left := w.list(c.text("rules"), "Rule-v2")
			require.Equal(w.t, []string{stays.text("id")}, ids(left))
			require.EqualValues(w.t, 1, left[0]["position"])
		}),
		clearsFilters("router", "/routers", "Router-v3", func(w *Wire) (string, dto) { return "/routers", w.named() }),
		clearsFilters("bridge", "/bridges", "Bridge-v4", func(w *Wire) (string, dto) { return "/bridges", w.named() }),
		clearsFilters("port", "/ports", "Port-v3", func(w *Wire) (string, dto) { return w.bridge().text("ports"), dto{"type": bridgeKind} }),
		proves("3.4.chain.rule.delete.missing 2.http.deleteMissing.chains", deleteMissing("/chains/", 404)),
	)
}

// clearsFilters deletes a chain that an object names as its filter.
func clearsFilters(cell, _, media string, at func(*Wire) (string, dto)) Case {
	return proves("3.4.chain.rule.delete.filters."+cell, func(w *Wire) {
		in, out := w.chain(), w.chain()
		uri, body := at(w)
		o := w.create(uri, media, body.with("inboundFilterId", in["id"]).with("outboundFilterId", out["id"]))
		w.remove(in.text("uri"))
		o = w.get(o.text("uri"), media)
		require.Nil(w.t, o["inboundFilterId"])
		require.Nil(w.t, o["inboundFilter"])
		require.Equal(w.t, out["id"], o["outboundFilterId"])
		w.remove(out.text("uri"))
		require.Nil(w.t, w.get(o.text("uri"), media)["outboundFilterId"])
	})
}

const (
	badRouteType = "This type of route is invalid."
	badNextHop   = "This type of route requires a next hop port that is a port on the same router."
)
