package nft

// Field is something that a rule can look at.
type Field string

// The fields. Names are those of nft(8), but for the raw payload expressions.
const (
	IIfName Field = "iifname"
	OIfName Field = "oifname"
	Mark    Field = "meta mark"
	PktType Field = "meta pkttype"

	CTState     Field = "ct state"
	CTDirection Field = "ct direction"
	CTStatus    Field = "ct status"
	CTMark      Field = "ct mark"

	EtherSrc  Field = "ether saddr"
	EtherDst  Field = "ether daddr"
	EtherType Field = "ether type"
	VLANTag   Field = "@ll,112,16" // of a tagged frame: priority and VLAN ID
	VLANType  Field = "@ll,128,16" // of a tagged frame: what the tag precedes

	IPSrc      Field = "ip saddr"
	IPDst      Field = "ip daddr"
	IPProto    Field = "ip protocol"
	IPTOS      Field = "@nh,8,8" // the whole TOS byte, DSCP and ECN
	IPFragment Field = "ip frag-off"
	IPLength   Field = "ip length"
	IPID       Field = "ip id"
	IP6Src     Field = "ip6 saddr"
	IP6Dst     Field = "ip6 daddr"
	IP6Next    Field = "ip6 nexthdr" // of the first header; before other fields of IPv6 in a rule
	IP6Length  Field = "ip6 length"  // of what follows the header, in bytes

	SrcPort  Field = "th sport"
	DstPort  Field = "th dport"
	ICMPType Field = "icmp type"
	ICMPCode Field = "icmp code"
	ICMPID   Field = "icmp id"
	TCPFlags Field = "@th,104,8"

	// The packet that an ICMP error quotes; the ports where its header has no options.
	QuotedStart   Field = "@th,64,8" // version and length of the header
	QuotedProto   Field = "@th,136,8"
	QuotedSrc     Field = "@th,160,32"
	QuotedDst     Field = "@th,192,32"
	QuotedSrcPort Field = "@th,224,16"
	QuotedDstPort Field = "@th,240,16"
	QuotedICMPID  Field = "@th,256,16"

	// Neighbour discovery (RFC 4861) where nothing stands between it and the header.
	ICMP6Type   Field = "icmpv6 type"
	NDTarget    Field = "@th,64,128"
	NDOption    Field = "@th,192,16" // type of the first option, and its length in units of 8 bytes
	NDOptionMAC Field = "@th,208,48" // the link-layer address in it

	ARPFormat    Field = "@nh,0,48" // types and lengths of the addresses
	ARPOperation Field = "arp operation"
	ARPSrcMAC    Field = "arp saddr ether"
	ARPSrcIP     Field = "arp saddr ip"
	ARPDstIP     Field = "arp daddr ip"
)

// Type is the type of the field's values.
func (f Field) Type() Type {
	switch f {
	case IIfName, OIfName:
		return TypeIfname
	case Mark, CTMark:
		return TypeMark
	case PktType:
		return TypePktType
	case CTState:
		return TypeCTState
	case CTDirection:
		return TypeCTDir
	case CTStatus:
		return TypeCTStatus
	case EtherSrc, EtherDst, ARPSrcMAC, NDOptionMAC:
		return TypeEther
	case EtherType:
		return TypeEtherType
	case IPSrc, IPDst, ARPSrcIP, ARPDstIP:
		return TypeIPv4
	case IP6Src, IP6Dst, NDTarget:
		return TypeIPv6
	case IPProto, IP6Next:
		return TypeProto
	case SrcPort, DstPort:
		return TypeService
	case ICMPType:
		return TypeICMPType
	case ICMPCode:
		return TypeICMPCode
	}
	return TypeInteger
}

// Flags reports whether the field is a set of bits, of which a Match asks
// whether any of those in Value is set.
func (f Field) Flags() bool { return f == CTState || f == CTStatus }
