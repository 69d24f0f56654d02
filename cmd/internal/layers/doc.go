// Package layers holds no code: its test holds the table of docs/architecture.md
// that says which package may import which.
package layers
