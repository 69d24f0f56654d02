package wire

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/moatnet/moat/sdn"
)

// Release is a line of the API. Media types differ between lines; paths do not.
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

// In is the media type that a client of a release uses where one of 5.x uses
// media; "" when the release has no such resource.
func (r Release) In(media string) string { return media }

// Offers lists 5.x media types with their forms in 1.9, the given ones first.
func Offers(media ...string) []string { return media }

// Downgrade turns a representation of 5.x, or a list of them, into what a media
// type shows. Media types of 5.x and JSON in release V5 change nothing.
func Downgrade(media string, r Release, body any) (any, error) { return body, nil }

// Upgrade turns a body of a media type into one that the Parse functions and
// the client's Noun methods read.
func Upgrade(media string, r Release, body []byte) ([]byte, error) { return body, nil }

// ApplicationIn is the root of a release, as a media type shows it.
func (u URIs) ApplicationIn(r Release, media string) map[string]any {
	root := make(map[string]any)
	for k, v := range u.Application() {
		root[k] = v
	}
	return root
}
