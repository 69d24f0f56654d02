package sdn

import "net/netip"

// Chain is an ordered list of rules. MidoNet API, resource Chain-v1.
type Chain struct {
	ID       ChainID
	TenantID TenantID
	Name     string
}

// RuleType is the discriminator "type" of a rule.
type RuleType string

// The types of rule. MidoNet API, resource Rule-v2.
const (
	RuleAccept  RuleType = "accept"
	RuleDrop    RuleType = "drop"
	RuleReject  RuleType = "reject"
	RuleReturn  RuleType = "return"
	RuleJump    RuleType = "jump"
	RuleDNAT    RuleType = "dnat"
	RuleSNAT    RuleType = "snat"
	RuleRevDNAT RuleType = "rev_dnat"
	RuleRevSNAT RuleType = "rev_snat"
)

// FlowAction is what happens to a packet after a NAT rule rewrote it.
type FlowAction string

// The flow actions.
const (
	FlowAccept   FlowAction = "accept"
	FlowContinue FlowAction = "continue"
	FlowReturn   FlowAction = "return"
)

// FragmentPolicy selects packets by their place in a fragmented datagram.
type FragmentPolicy string

// The fragment policies. MidoNet API, section 3.5.
const (
	FragmentAny          FragmentPolicy = "any"
	FragmentNonHeader    FragmentPolicy = "nonheader"
	FragmentHeader       FragmentPolicy = "header" // first fragment or unfragmented
	FragmentUnfragmented FragmentPolicy = "unfragmented"
)

// PortRange is an inclusive range of L4 ports. A nil *PortRange is "any".
type PortRange struct{ Start, End uint16 }

// NATTarget is where a NAT rule translates to. Every port 0 in all targets of
// a rule means a static translation of the address alone.
type NATTarget struct {
	AddressFrom, AddressTo netip.Addr
	PortFrom, PortTo       uint16
}

// Rule is one entry of a chain. MidoNet API, resource Rule-v2.
type Rule struct {
	ID       RuleID
	Chain    ChainID
	Type     RuleType
	Position int // 1-based; 0 at creation means 1, the head

	Condition Condition

	JumpChain     ChainID // jump
	JumpChainName string  // jump, free text
	FlowAction    FlowAction
	NATTargets    []NATTarget // dnat, snat
}

// Condition selects packets: the AND of all fields that are set, each negated
// by its Inv field, the whole negated by Invert. FragmentPolicy is tested first
// and is not affected by Invert. MidoNet API, section 3.5.
type Condition struct {
	Invert bool

	MatchForwardFlow bool
	MatchReturnFlow  bool

	InPorts, OutPorts       []PortID // empty: any
	InvInPorts, InvOutPorts bool

	DLType       *int // EtherType
	InvDLType    bool
	DLSrc, DLDst string // MAC
	// DLSrcMask and DLDstMask are in MidoNet's form "ffff.ffff.ffff".
	DLSrcMask, DLDstMask string
	InvDLSrc, InvDLDst   bool

	TOS      *int
	InvTOS   bool
	Proto    *int // IP protocol number
	InvProto bool

	Src, Dst       netip.Prefix // invalid: any
	InvSrc, InvDst bool

	TPSrc, TPDst       *PortRange // ICMP: type and code
	InvTPSrc, InvTPDst bool

	Fragment FragmentPolicy // empty: the default of the rule's type

	// PortGroup holds the port by which the packet entered the virtual network,
	// the other two the port of this device.
	PortGroup, InPortGroup, OutPortGroup          PortGroupID   `json:",omitzero"`
	InvPortGroup, InvInPortGroup, InvOutPortGroup bool          `json:",omitzero"`
	SrcGroup, DstGroup                            IPAddrGroupID `json:",omitzero"`
	InvSrcGroup, InvDstGroup                      bool          `json:",omitzero"`

	TraversedDevice    DeviceID `json:",omitzero"`
	InvTraversedDevice bool     `json:",omitzero"`

	NoVLAN bool `json:",omitzero"`
	VLAN   *int `json:",omitzero"` // nil or 0: any

	ICMPDataSrc, ICMPDataDst       netip.Prefix `json:",omitzero"` // of the packet that an ICMP error quotes; invalid: any
	InvICMPDataSrc, InvICMPDataDst bool         `json:",omitzero"`

	DstRewritten bool `json:",omitzero"` // the destination was translated earlier on the packet's way
}
