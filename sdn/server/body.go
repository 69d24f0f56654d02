package server

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/moatnet/moat/sdn"
)

// maxBody is the size of the largest request body, before and after gzip.
const maxBody = 1 << 20

var (
	errTooLarge = fmt.Errorf("the body is larger than %d bytes: %w", maxBody, sdn.ErrInvalid)
	errEncoding = fmt.Errorf("the only content encoding taken is gzip: %w", sdn.ErrInvalid)
)

// readBody reads the whole body, unpacked.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	var in io.Reader = http.MaxBytesReader(w, r.Body, maxBody)
	switch strings.ToLower(r.Header.Get("Content-Encoding")) {
	case "", "identity":
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, bodyError(err)
		}
		in = z
	default:
		return nil, errEncoding
	}
	data, err := io.ReadAll(io.LimitReader(in, maxBody+1))
	if err != nil {
		return nil, bodyError(err)
	}
	if len(data) > maxBody {
		return nil, errTooLarge
	}
	return data, nil
}

// readQuery takes a ";" as a character of a value. What cannot be read is an
// error: a list that was to be narrowed must not be all there is.
func readQuery(raw string) (url.Values, error) {
	q, err := url.ParseQuery(strings.ReplaceAll(raw, ";", "%3B"))
	if err != nil {
		return nil, fmt.Errorf("the query cannot be read: %v: %w", err, sdn.ErrInvalid)
	}
	return q, nil
}

func bodyError(err error) error {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return errTooLarge
	case errors.Is(err, errBusy):
		return errBusy
	}
	return fmt.Errorf("the body cannot be read: %v: %w", err, sdn.ErrInvalid)
}
