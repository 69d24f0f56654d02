// Package config turns Moat's flags and its YAML file into one valid
// configuration: first the raw file, in which an unknown key is an error, then
// values of their real types, each error naming the key that is wrong.
//
// It opens nothing but the file it is told to read. cmd/moat alone imports it.
package config
