package conformance

import (
	"net/url"
	"strings"

	"github.com/stretchr/testify/require"
)

func hasSuffix(s, suffix string) bool { return strings.HasSuffix(s, suffix) }

// collectionCases prove the URIs that top-level resources share: list, post,
// get, delete, and lists by tenant where the body has one.
func collectionCases(prefix, uri, media string, body func(w *Wire) dto) []Case {
	all := []Case{
		proves(prefix+"list", func(w *Wire) {
			o := w.create(uri, media, body(w))
			for _, m := range []string{media, plainJSON} {
				require.Contains(w.t, w.list(uri, m), o, "as GET of one shows it")
			}
		}),
		proves(prefix+"post", func(w *Wire) {
			for _, m := range []string{media, plainJSON} {
				o := w.create(uri, m, body(w))
				require.Equal(w.t, w.URL+uri+"/"+o.text("id"), o["uri"])
			}
		}),
		proves(prefix+"get", func(w *Wire) {
			o := w.create(uri, media, body(w))
			require.Equal(w.t, o, w.get(o.text("uri"), media))
			require.Equal(w.t, o, w.get(o.text("uri"), plainJSON))
		}),
		proves(prefix+"delete", func(w *Wire) {
			o := w.create(uri, media, body(w))
			w.remove(o.text("uri"))
			w.missing(o.text("uri"))
			require.NotContains(w.t, ids(w.list(uri, media)), o["id"])
		}),
	}
	return append(all, proves(prefix+"list.tenant", func(w *Wire) {
		first, second := w.create(uri, media, body(w)), w.create(uri, media, body(w))
		other := w.create(uri, media, body(w).with("tenantId", "other "+w.tenant))
		require.ElementsMatch(w.t, []string{first.text("id"), second.text("id")}, ids(w.list(uri+"?tenant_id="+w.tenant, media)))
		odd := url.Values{"tenant_id": {other.text("tenantId")}}
		require.Equal(w.t, []string{other.text("id")}, ids(w.list(uri+"?"+odd.Encode(), media)))
		require.Empty(w.t, w.list(uri+"?tenant_id=nobody-"+w.tenant, media))
	}))
}

// tenantField is optional text.
func tenantField() field {
	return field{name: "tenantId", good: []any{"t", "a tenant/with ü?&"}, unset: anything}
}

// chainLink is the link that goes with a reference to a chain.
func chainLink(name, reference string) field {
	return field{name: name, fixed: func(w *Wire, _ setting, o dto) any {
		if o[reference] == nil {
			return nil
		}
		return w.URL + "/chains/" + o.text(reference)
	}, also: func(w *Wire) dto { return dto{reference: w.chain()["id"]} }}
}
