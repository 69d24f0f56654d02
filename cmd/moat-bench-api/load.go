package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

const routerType = "application/vnd.org.midonet.Router-v3+json"

// caller makes requests as one user.
type caller struct {
	token string
	http  *http.Client
}

// newCaller logs in and keeps as many connections as there are clients.
func newCaller(ctx context.Context, base string, clients int) (*caller, error) {
	c := &caller{http: &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: clients, DisableCompression: true},
		Timeout:   time.Minute,
	}}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/login", nil)
	if err != nil {
		return nil, err
	}
	q.SetBasicAuth(user, password)
	resp, err := c.http.Do(q)
	if err != nil {
		return nil, fmt.Errorf("log in: %w", err)
	}
	defer resp.Body.Close()
	var token struct {
		Key string `json:"key"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&token); err != nil || token.Key == "" {
		return nil, fmt.Errorf("log in: status %d, %w", resp.StatusCode, errors.Join(err, errors.New("no token")))
	}
	c.token = token.Key
	return c, nil
}

// call makes one request and reads its answer whole; it returns its length.
func (c *caller) call(ctx context.Context, method, url string, body []byte, want int) (int64, error) {
	q, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	q.Header.Set("X-Auth-Token", c.token)
	q.Header.Set("Accept", "application/json")
	q.Header.Set("Content-Type", routerType)
	resp, err := c.http.Do(q)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	if err == nil && resp.StatusCode != want {
		err = fmt.Errorf("%s %s: status %d, not %d", method, url, resp.StatusCode, want)
	}
	return n, err
}

// series is how long each of many calls took.
type series struct {
	took []time.Duration // sorted
	span time.Duration   // from the first to the last
}

func (s series) rate() float64 { return float64(len(s.took)) / s.span.Seconds() }

// at is the time that a share of the calls took at most.
func (s series) at(share float64) time.Duration {
	return s.took[min(int(share*float64(len(s.took))), len(s.took)-1)]
}

// load lets clients call one after the other as long as next gives them work,
// or until one of them fails.
func load(ctx context.Context, clients int, next func() (work func(context.Context) error, more bool)) (series, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	var all series
	var group sync.WaitGroup
	start := time.Now()
	for range clients {
		group.Go(func() {
			var took []time.Duration
			for ctx.Err() == nil {
				work, more := next()
				if !more {
					break
				}
				begin := time.Now()
				if err := work(ctx); err != nil {
					cancel(err)
					break
				}
				took = append(took, time.Since(begin))
			}
			mu.Lock()
			defer mu.Unlock()
			all.took = append(all.took, took...)
		})
	}
	group.Wait()
	all.span = time.Since(start)
	if ctx.Err() != nil {
		return series{}, context.Cause(ctx)
	}
	if len(all.took) == 0 {
		return series{}, errors.New("nothing was measured")
	}
	slices.Sort(all.took)
	return all, nil
}
