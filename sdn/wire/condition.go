package wire

import (
	"net/netip"
	"strings"

	"github.com/moatnet/moat/sdn"
)

// Range is an inclusive range of L4 ports.
type Range struct {
	Start Int `json:"start"`
	End   Int `json:"end"`
}

// Condition holds the properties of a rule that select packets.
type Condition struct {
	CondInvert              Bool   `json:"condInvert"`
	MatchForwardFlow        Bool   `json:"matchForwardFlow"`
	MatchReturnFlow         Bool   `json:"matchReturnFlow"`
	InPorts                 []Text `json:"inPorts"`
	InvInPorts              Bool   `json:"invInPorts"`
	OutPorts                []Text `json:"outPorts"`
	InvOutPorts             Bool   `json:"invOutPorts"`
	DLType                  *Int   `json:"dlType"`
	InvDLType               Bool   `json:"invDlType"`
	DLSrc                   Text   `json:"dlSrc"`
	DLSrcMask               Text   `json:"dlSrcMask"`
	InvDLSrc                Bool   `json:"invDlSrc"`
	DLDst                   Text   `json:"dlDst"`
	DLDstMask               Text   `json:"dlDstMask"`
	InvDLDst                Bool   `json:"invDlDst"`
	NWTOS                   *Int   `json:"nwTos"`
	InvNWTOS                Bool   `json:"invNwTos"`
	NWProto                 *Int   `json:"nwProto"`
	InvNWProto              Bool   `json:"invNwProto"`
	NWSrcAddress            Text   `json:"nwSrcAddress"`
	NWSrcLength             Int    `json:"nwSrcLength"`
	InvNWSrc                Bool   `json:"invNwSrc"`
	NWDstAddress            Text   `json:"nwDstAddress"`
	NWDstLength             Int    `json:"nwDstLength"`
	InvNWDst                Bool   `json:"invNwDst"`
	TPSrc                   *Range `json:"tpSrc"`
	InvTPSrc                Bool   `json:"invTpSrc"`
	TPDst                   *Range `json:"tpDst"`
	InvTPDst                Bool   `json:"invTpDst"`
	FragmentPolicy          Text   `json:"fragmentPolicy"`
	PortGroup               Text   `json:"portGroup"`
	InvPortGroup            Bool   `json:"invPortGroup"`
	InPortGroup             Text   `json:"inPortGroup"`
	InvInPortGroup          Bool   `json:"invInPortGroup"`
	OutPortGroup            Text   `json:"outPortGroup"`
	InvOutPortGroup         Bool   `json:"invOutPortGroup"`
	IPAddrGroupSrc          Text   `json:"ipAddrGroupSrc"`
	InvIPAddrGroupSrc       Bool   `json:"invIpAddrGroupSrc"`
	IPAddrGroupDst          Text   `json:"ipAddrGroupDst"`
	InvIPAddrGroupDst       Bool   `json:"invIpAddrGroupDst"`
	TraversedDevice         Text   `json:"traversedDevice"`
	InvTraversedDevice      Bool   `json:"invTraversedDevice"`
	NoVLAN                  Bool   `json:"noVlan"`
	VLAN                    *Int   `json:"vlan"`
	ICMPDataSrcIPAddress    Text   `json:"icmpDataSrcIpAddress"`
	ICMPDataSrcIPLength     Int    `json:"icmpDataSrcIpLength"`
	InvICMPDataSrcIPAddress Bool   `json:"invIcmpDataSrcIp"`
	ICMPDataDstIPAddress    Text   `json:"icmpDataDstIpAddress"`
	ICMPDataDstIPLength     Int    `json:"icmpDataDstIpLength"`
	InvICMPDataDstIPAddress Bool   `json:"invIcmpDataDstIp"`
	MatchNWDstRewritten     Bool   `json:"matchNwDstRewritten"`
}

func newCondition(c sdn.Condition) Condition {
	d := Condition{
		CondInvert:       Bool(c.Invert),
		MatchForwardFlow: Bool(c.MatchForwardFlow), MatchReturnFlow: Bool(c.MatchReturnFlow),
		InPorts: texts(c.InPorts), InvInPorts: Bool(c.InvInPorts),
		OutPorts: texts(c.OutPorts), InvOutPorts: Bool(c.InvOutPorts),
		DLType: optional(c.DLType), InvDLType: Bool(c.InvDLType),
		DLSrc: Text(c.DLSrc), DLSrcMask: Text(c.DLSrcMask), InvDLSrc: Bool(c.InvDLSrc),
		DLDst: Text(c.DLDst), DLDstMask: Text(c.DLDstMask), InvDLDst: Bool(c.InvDLDst),
		NWTOS: optional(c.TOS), InvNWTOS: Bool(c.InvTOS),
		NWProto: optional(c.Proto), InvNWProto: Bool(c.InvProto),
		InvNWSrc: Bool(c.InvSrc), InvNWDst: Bool(c.InvDst),
		TPSrc: portRange(c.TPSrc), InvTPSrc: Bool(c.InvTPSrc),
		TPDst: portRange(c.TPDst), InvTPDst: Bool(c.InvTPDst),
		FragmentPolicy: Text(c.Fragment),
	}
	d.NWSrcAddress, d.NWSrcLength = split(c.Src)
	d.NWDstAddress, d.NWDstLength = split(c.Dst)
	d.more(c)
	return d
}

// more shows what is beyond the header fields of a packet.
func (d *Condition) more(c sdn.Condition) {
	d.PortGroup, d.InvPortGroup = Text(c.PortGroup), Bool(c.InvPortGroup)
	d.InPortGroup, d.InvInPortGroup = Text(c.InPortGroup), Bool(c.InvInPortGroup)
	d.OutPortGroup, d.InvOutPortGroup = Text(c.OutPortGroup), Bool(c.InvOutPortGroup)
	d.IPAddrGroupSrc, d.InvIPAddrGroupSrc = Text(c.SrcGroup), Bool(c.InvSrcGroup)
	d.IPAddrGroupDst, d.InvIPAddrGroupDst = Text(c.DstGroup), Bool(c.InvDstGroup)
	d.TraversedDevice, d.InvTraversedDevice = Text(c.TraversedDevice), Bool(c.InvTraversedDevice)
	d.NoVLAN, d.VLAN = Bool(c.NoVLAN), optional(c.VLAN)
	d.ICMPDataSrcIPAddress, d.ICMPDataSrcIPLength = split(c.ICMPDataSrc)
	d.ICMPDataDstIPAddress, d.ICMPDataDstIPLength = split(c.ICMPDataDst)
	d.InvICMPDataSrcIPAddress, d.InvICMPDataDstIPAddress = Bool(c.InvICMPDataSrc), Bool(c.InvICMPDataDst)
	d.MatchNWDstRewritten = Bool(c.DstRewritten)
}

// moreNoun reads what more shows.
func (d Condition) moreNoun(c *check, n *sdn.Condition) {
	n.PortGroup, n.InvPortGroup = parseID[sdn.PortGroupID](c, "portGroup", d.PortGroup), bool(d.InvPortGroup)
	n.InPortGroup, n.InvInPortGroup = parseID[sdn.PortGroupID](c, "inPortGroup", d.InPortGroup), bool(d.InvInPortGroup)
	n.OutPortGroup, n.InvOutPortGroup = parseID[sdn.PortGroupID](c, "outPortGroup", d.OutPortGroup), bool(d.InvOutPortGroup)
	n.SrcGroup, n.InvSrcGroup = parseID[sdn.IPAddrGroupID](c, "ipAddrGroupSrc", d.IPAddrGroupSrc), bool(d.InvIPAddrGroupSrc)
	n.DstGroup, n.InvDstGroup = parseID[sdn.IPAddrGroupID](c, "ipAddrGroupDst", d.IPAddrGroupDst), bool(d.InvIPAddrGroupDst)
	n.TraversedDevice, n.InvTraversedDevice = parseID[sdn.DeviceID](c, "traversedDevice", d.TraversedDevice), bool(d.InvTraversedDevice)
	n.NoVLAN, n.VLAN = bool(d.NoVLAN), c.optional("vlan", d.VLAN, 0, 4095)
	n.ICMPDataSrc = c.prefix("icmpDataSrcIpAddress", d.ICMPDataSrcIPAddress, "icmpDataSrcIpLength", d.ICMPDataSrcIPLength)
	n.ICMPDataDst = c.prefix("icmpDataDstIpAddress", d.ICMPDataDstIPAddress, "icmpDataDstIpLength", d.ICMPDataDstIPLength)
	n.InvICMPDataSrc, n.InvICMPDataDst = bool(d.InvICMPDataSrcIPAddress), bool(d.InvICMPDataDstIPAddress)
	n.DstRewritten = bool(d.MatchNWDstRewritten)
}

func (d Condition) noun(c *check) sdn.Condition {
	n := sdn.Condition{
		Invert:           bool(d.CondInvert),
		MatchForwardFlow: bool(d.MatchForwardFlow), MatchReturnFlow: bool(d.MatchReturnFlow),
		InPorts: parseIDs[sdn.PortID](c, "inPorts", d.InPorts), InvInPorts: bool(d.InvInPorts),
		OutPorts: parseIDs[sdn.PortID](c, "outPorts", d.OutPorts), InvOutPorts: bool(d.InvOutPorts),
		DLType: c.optional("dlType", d.DLType, 0x0600, 0xffff), InvDLType: bool(d.InvDLType),
		DLSrc: c.mac("dlSrc", d.DLSrc), DLSrcMask: c.macMask("dlSrcMask", d.DLSrcMask), InvDLSrc: bool(d.InvDLSrc),
		DLDst: c.mac("dlDst", d.DLDst), DLDstMask: c.macMask("dlDstMask", d.DLDstMask), InvDLDst: bool(d.InvDLDst),
		TOS: c.optional("nwTos", d.NWTOS, 0, 255), InvTOS: bool(d.InvNWTOS),
		Proto: c.optional("nwProto", d.NWProto, 0, 255), InvProto: bool(d.InvNWProto),
		Src:    c.prefix("nwSrcAddress", d.NWSrcAddress, "nwSrcLength", d.NWSrcLength),
		InvSrc: bool(d.InvNWSrc),
		Dst:    c.prefix("nwDstAddress", d.NWDstAddress, "nwDstLength", d.NWDstLength),
		InvDst: bool(d.InvNWDst),
		TPSrc:  c.portRange("tpSrc", d.TPSrc), InvTPSrc: bool(d.InvTPSrc),
		TPDst: c.portRange("tpDst", d.TPDst), InvTPDst: bool(d.InvTPDst),
		Fragment: c.fragment(d.FragmentPolicy),
	}
	d.moreNoun(c, &n)
	return n
}

// portRange accepts 0 as well: for ICMP the numbers are type and code.
func (c *check) portRange(property string, r *Range) *sdn.PortRange {
	if r == nil {
		return nil
	}
	start, end := c.within(property, r.Start, 0, 65535), c.within(property, r.End, 0, 65535)
	if start > end {
		c.fail(property, "starts at %d, after its end %d", start, end)
	}
	return &sdn.PortRange{Start: uint16(start), End: uint16(end)}
}

func (c *check) fragment(v Text) sdn.FragmentPolicy {
	switch p := sdn.FragmentPolicy(strings.ToLower(string(v))); p {
	case "", sdn.FragmentAny, sdn.FragmentNonHeader, sdn.FragmentHeader, sdn.FragmentUnfragmented:
		return p
	}
	c.fail("fragmentPolicy", "%q is not any, nonheader, header or unfragmented", clip(string(v)))
	return ""
}

func texts[T ~string](ids []T) []Text {
	out := make([]Text, len(ids))
	for i, id := range ids {
		out[i] = Text(id)
	}
	return out
}

func optional(n *int) *Int {
	if n == nil {
		return nil
	}
	i := Int(*n)
	return &i
}

func portRange(r *sdn.PortRange) *Range {
	if r == nil {
		return nil
	}
	return &Range{Start: Int(r.Start), End: Int(r.End)}
}

func split(p netip.Prefix) (Text, Int) {
	if !p.IsValid() {
		return "", 0
	}
	return Text(p.Addr().String()), Int(p.Bits())
}
