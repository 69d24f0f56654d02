// Package audit says what of an installation's addresses does not belong together,
// and what there is: findings, addresses, utilisation. It is pure: functions of a
// snapshot of the store and of facts that others gathered.
//
// It asks nobody, changes nothing and imports only package ipam. cmd may import it.
package audit
