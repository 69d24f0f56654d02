package tenant

import (
	"context"
	"errors"
	"strings"

	"github.com/moatnet/moat/ipam"
	"github.com/moatnet/moat/sdn"
)

// fault makes an error of the Service: what was being done and to whom, the
// cause in words, the code that the cause calls for, and what to do about it.
func (m *Manager) fault(what string, err error) error {
	if err == nil {
		return nil
	}
	code, details := classify(err)
	var known *Error
	if errors.As(err, &known) {
		code, details = known.Code, known.Details
		if err == error(known) {
			return &Error{Code: code, Msg: what + ": " + known.Msg, Details: details, Err: known.Err}
		}
	}
	cause := strings.TrimSuffix(err.Error(), "; "+details) // said once
	return &Error{Code: code, Msg: what + ": " + cause, Details: details, Err: err}
}

// AdviceFull is what to do about a store that is full.
const AdviceFull = "delete what etcd holds beside Moat's, or raise its quota: embedded.quotaBytes in the configuration, and of an etcd of your own --quota-backend-bytes; " +
	"your own also has to be told: etcdctl compact, etcdctl defrag for each member, then etcdctl alarm disarm; moat status says how full it is"

// class is a kind of cause with its code.
type class struct {
	is      error
	code    Code
	details string
}

// classes, the more telling cause first.
func classes() []class {
	return []class{
		{ipam.ErrExhausted, CodePoolExhausted, "delete pods or tenants that are not needed, or set up the installation with a larger pool"},
		{ipam.ErrInUse, CodeTenantDenied, "delete its pods first, or cut them off: moat tenant delete NAME --force"},
		{sdn.ErrUnauthorized, CodeSDNRefused, "check user and password of the SDN API"},
		{sdn.ErrForbidden, CodeSDNRefused, "the SDN's user must be an administrator"},
		{sdn.ErrInvalid, CodeSDNRefused, "the SDN does not take this input"},
		{sdn.ErrUnsupported, CodeSDNRefused, "this engine cannot express it"},
		{context.Canceled, CodeTryAgain, "the call was given up"},
		{ipam.ErrFull, CodeTryAgain, AdviceFull},
		{sdn.ErrFull, CodeTryAgain, AdviceFull},
		{ipam.ErrUnavailable, CodeTryAgain, "check that etcd is running and can be reached"},
		{context.DeadlineExceeded, CodeTryAgain, "not done in time; it is tried again"},
		{sdn.ErrUnavailable, CodeTryAgain, "check that the SDN API is running and can be reached"},
		{ipam.ErrStale, CodeTryAgain, "others changed the tenant at the same moment"},
		{sdn.ErrNotFound, CodeTryAgain, "the topology was changed at the same moment, or by hand"},
		{sdn.ErrConflict, CodeTryAgain, "is the engine of this host running?"},
		{ipam.ErrInvalid, CodeInvalidConfig, "correct what the message names in the configuration or the call"},
		{ipam.ErrCorrupt, CodeStore, "was it written by another version of Moat?"},
	}
}

func classify(err error) (Code, string) {
	var held *ipam.AddressInUseError
	if errors.As(err, &held) {
		return CodeAddressInUse, "ask for another address, or for none"
	}
	var reserved *ipam.ReservedError
	if errors.As(err, &reserved) {
		return CodeAddressInUse, "ask for another address, or for none, or end the reservation"
	}
	var config *ipam.ConfigError
	if errors.As(err, &config) {
		return CodeInvalidConfig, "correct the configuration, or use another name for another installation"
	}
	var full *ipam.ExhaustedError
	if errors.As(err, &full) && strings.HasPrefix(full.Key, ipam.KeyTenant("")) {
		return CodePoolExhausted, "delete pods that are not needed, or add a subnet to " + full.Key
	}
	var unassigned *ipam.UnassignedError
	if errors.As(err, &unassigned) {
		return CodeTenantDenied, "name the namespace in the daemon's configuration, or ask an administrator to make the tenant"
	}
	var other *differs
	if errors.As(err, &other) {
		return CodeSDNRefused, "delete the object, or change it back"
	}
	for _, c := range classes() {
		if errors.Is(err, c.is) {
			return c.code, c.details
		}
	}
	return CodeIO, "a step failed on this node for the cause that the message ends with"
}
