package server

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// accepted picks the media type to answer with: the offer that the Accept
// header wants most; of those wanted alike, the first. No header wants
// anything when absentMatches. "" means that none fits.
func accepted(h http.Header, offers []string, absentMatches bool) string {
	values := h.Values("Accept")
	if len(values) == 0 {
		if absentMatches {
			return offers[0]
		}
		return ""
	}
	best, bestQ := "", 0.0
	for _, offer := range offers {
		if q := quality(values, offer); q > bestQ {
			best, bestQ = offer, q
		}
	}
	return best
}

// quality is the weight of the most specific range that covers the offer.
func quality(values []string, offer string) float64 {
	q, specific := 0.0, -1
	for _, value := range values {
		for part := range strings.SplitSeq(value, ",") {
			media, params, err := mime.ParseMediaType(strings.TrimSpace(part))
			if err != nil {
				continue
			}
			if s := specificity(media, offer); s > specific {
				specific, q = s, weight(params)
			}
		}
	}
	return q
}

// specificity is 2 for the type itself, 1 for "application/*", 0 for "*/*",
// and -1 for what does not cover the offer.
func specificity(media, offer string) int {
	switch kind, _, _ := strings.Cut(offer, "/"); {
	case strings.EqualFold(media, offer):
		return 2
	case media == kind+"/*":
		return 1
	case media == "*/*" || media == "*":
		return 0
	}
	return -1
}

func weight(params map[string]string) float64 {
	text, given := params["q"]
	if !given {
		return 1
	}
	q, err := strconv.ParseFloat(text, 64)
	if err != nil || q < 0 || q > 1 {
		return 0
	}
	return q
}

// taken is the one of the types that the Content-Type header names, or "". No
// header names the first when absentMatches.
func taken(h http.Header, types []string, absentMatches bool) string {
	value := h.Get("Content-Type")
	if value == "" && absentMatches {
		return types[0]
	}
	media, _, err := mime.ParseMediaType(value)
	if err != nil {
		return ""
	}
	for _, t := range types {
		if strings.EqualFold(media, t) {
			return t
		}
	}
	return ""
}
