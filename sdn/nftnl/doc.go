// Package nftnl makes the kernel's nftables look like tables of package nft,
// and reads them back into the same model, over netlink.
//
// A change is one transaction that holds only what differs; where nothing
// differs nothing is sent. The package decides nothing about what is wanted and
// touches no table that it was not given. The engine's data plane imports it.
package nftnl
