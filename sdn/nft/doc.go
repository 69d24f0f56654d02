// Package nft is a small typed model of nftables: tables, chains, rules made of
// statements, sets and maps. String prints a value in the syntax of nft(8).
//
// It is data only: it reads and writes no kernel, imports nothing else of Moat,
// and every package of Moat may import it. What makes a table real is package
// nftnl.
//
// Two tables that mean the same compare equal with reflect.DeepEqual, and print
// the same, once both went through Table.Normal.
package nft
