package wire

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/moatnet/moat/sdn"
)

// Release is a line of the API. Media types and what they show differ between
// lines; paths do not.
type Release int

// The releases.
const (
	V5 Release = iota // 5.0 to 5.8, and Moat's own
	V1                // 1.9 and what is like it: 1.7, 1.10
)

// ReleaseOf reads the version of an application root: "v5.0", "v1.9", "v1.10".
// The error wraps sdn.ErrUnsupported.
func ReleaseOf(version string) (Release, error) {
	major, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	n, err := strconv.Atoi(major)
	switch {
	case err == nil && n == 1:
		return V1, nil
	case err == nil && n >= 5:
		return V5, nil
	}
	return V5, fmt.Errorf("API version %q is %w", clip(version), sdn.ErrUnsupported)
}

// Version is what the application root of a server of the release says.
func (r Release) Version() string {
	if r == V1 {
		return "v1.9"
	}
	return "v5.0"
}

// In is the media type that a client of a release uses where one of 5.x uses
// media; "" when the release has no such resource.
func (r Release) In(media string) string {
	if r == V5 {
		return media
	}
	name, list := bare(media)
	if slices.Contains(since5, name) {
		return ""
	}
	if forms, renamed := formsV1[name]; renamed {
		name = forms[0]
	}
	return full(name, list)
}

// Offers lists 5.x media types with their forms in 1.9, the given ones first.
func Offers(media ...string) []string {
	return withForms(media, media)
}

// Only lists the media types that a server of one release alone offers where
// Moat offers the given ones of 5.x: those of 1.9 are what 5.x refuses, and the
// other way round.
func (r Release) Only(media ...string) []string {
	if r == V5 {
		return media
	}
	var kept []string
	for _, m := range media {
		if name, _ := bare(m); formsV1[name] == nil && !slices.Contains(since5, name) {
			kept = append(kept, m)
		}
	}
	offered := withForms(nil, media)
	for _, m := range kept {
		if !slices.Contains(offered, m) {
			offered = append(offered, m)
		}
	}
	return offered
}

// withForms appends the forms in 1.9 of media types to a list that is copied.
func withForms(to, media []string) []string {
	out := slices.Clone(to)
	for _, m := range media {
		name, list := bare(m)
		for _, f := range formsV1[name] {
			if f := full(f, list); !slices.Contains(out, f) {
				out = append(out, f)
			}
		}
	}
	return out
}

// Means is the media type that a client of the release means by one of those
// that an operation of 5.x offers: JSON stands for the newest form of the
// first, every other type for itself.
func (r Release) Means(media string, offers []string) string {
	if media == JSON && len(offers) > 0 && offers[0] != JSON {
		return r.In(offers[0])
	}
	return media
}

// bare is the name with its version in a media type, "Router-v3", and whether
// it stands for a list. Foreign types have the name "".
func bare(media string) (name string, list bool) {
	rest, ours := strings.CutPrefix(media, vendor)
	if !ours {
		return "", false
	}
	rest, list = strings.CutPrefix(rest, collection)
	return strings.TrimSuffix(rest, "+json"), list
}

// full is the media type for a bare name; "" gives JSON, the one type without.
func full(name string, list bool) string {
	switch {
	case name == "":
		return JSON
	case list:
		return vendor + collection + name + "+json"
	}
	return vendor + name + "+json"
}
