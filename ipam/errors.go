package ipam

import (
	"errors"
	"fmt"
	"net/netip"
)

// The kinds of error of a Store; every error of its methods wraps at most one.
var (
	// ErrNotFound: there is no such record.
	ErrNotFound = errors.New("not found")
	// ErrStale: the record changed since the caller read it; read again.
	ErrStale = errors.New("stale")
	// ErrExhausted: no address, subnet or transit pair is left.
	ErrExhausted = errors.New("exhausted")
	// ErrInUse: the tenant still has attachments.
	ErrInUse = errors.New("in use")
	// ErrInvalid: the input is wrong.
	ErrInvalid = errors.New("invalid")
	// ErrUnavailable: the store did not answer in time, or refused; whether the
	// decision was taken is not known. The same call may be repeated.
	ErrUnavailable = errors.New("store unavailable")
	// ErrFull: the store takes nothing new until there is room in it; a kind of
	// ErrUnavailable.
	ErrFull = fmt.Errorf("%w: it is full", ErrUnavailable)
	// ErrCorrupt: the store holds what this version cannot read.
	ErrCorrupt = errors.New("unreadable record")
	// ErrNewer: the store holds what a newer program wrote; a kind of ErrCorrupt.
	ErrNewer = fmt.Errorf("%w: a newer program wrote it", ErrCorrupt)
)

// ConfigError is a pool that cannot be used. It wraps ErrInvalid.
type ConfigError struct {
	Key    string // configuration key, one of the Key constants
	Value  string
	Reason string
}

func (e *ConfigError) Error() string {
	return fmt.Sprintf("configuration %s: %s: %s", e.Key, e.Value, e.Reason)
}

// Unwrap makes errors.Is(err, ErrInvalid) hold.
func (e *ConfigError) Unwrap() error { return ErrInvalid }

// AddressInUseError answers a request for an address that another attachment
// holds.
type AddressInUseError struct {
	Address netip.Addr
	Holder  Attachment
}

func (e *AddressInUseError) Error() string {
	return fmt.Sprintf("address %s is held by %s on node %s", e.Address, e.Holder, e.Holder.Node)
}

// ElsewhereError answers a sticky attachment whose kept address is not where one
// was looked for: in another subnet of the tenant, or in none of them any more,
// because the configuration changed. It wraps ErrInvalid.
type ElsewhereError struct {
	Address  netip.Addr
	Identity string
	Where    string // in which it is not
}

func (e *ElsewhereError) Error() string {
	return fmt.Sprintf("address %s, kept for %s, is not in %s; release its reservation if another address will do", e.Address, e.Identity, e.Where)
}

// Unwrap makes errors.Is(err, ErrInvalid) hold.
func (e *ElsewhereError) Unwrap() error { return ErrInvalid }

// ExistsError answers a Lease for an attachment that has a record.
type ExistsError struct{ Record Record }

func (e *ExistsError) Error() string {
	return fmt.Sprintf("attachment %s holds %s (%s)", e.Record.Attachment, e.Record.Address, e.Record.State)
}

// ExhaustedError names the pool in which nothing is left. It wraps ErrExhausted.
type ExhaustedError struct {
	Pool string // what was looked for, with the prefix
	Key  string // configuration key of the pool
}

func (e *ExhaustedError) Error() string {
	return fmt.Sprintf("%s is used up (configuration %s)", e.Pool, e.Key)
}

// Unwrap makes errors.Is(err, ErrExhausted) hold.
func (e *ExhaustedError) Unwrap() error { return ErrExhausted }
