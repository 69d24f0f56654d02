package forgery

import "slices"

const (
	typeVLAN     = 0x8100 // IEEE 802.1Q
	typeProvider = 0x88a8 // IEEE 802.1ad
)

// Tagged are copies of frames with VLAN tags between the MACs and the rest, by
// what kind of tags: one, a provider's one, and both, which is QinQ.
func Tagged(frames []Frame) map[string][]Frame {
	one, provider := []byte{typeVLAN >> 8, typeVLAN & 0xff, 0, 7}, []byte{typeProvider >> 8, typeProvider & 0xff, 0, 8}
	all := map[string][]Frame{}
	for kind, tags := range map[string][]byte{"802.1Q": one, "802.1ad": provider, "QinQ": slices.Concat(provider, one)} {
		for _, f := range frames {
			all[kind] = append(all[kind], Frame{f.Name + " with " + kind, slices.Concat(f.Bytes[:12], tags, f.Bytes[12:])})
		}
	}
	return all
}
