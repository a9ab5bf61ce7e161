package saml

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

const (
	fresh     = time.Hour        // metadata is used without asking again
	stale     = 24 * time.Hour   // and while nothing newer can be had
	betweenRe = 60 * time.Second // at least, between two fetches that are not due
)

// A source knows an identity provider by metadata that it fetches. It is safe for
// concurrent use. One fetch is under way at a time, and who waits for it takes
// its outcome.
type source struct {
	client *http.Client
	url    string
	want   string // entity id; "" any
	now    func() time.Time
	turn   chan struct{} // of one: who has put something in fetches

	mu      sync.Mutex // guards below
	known   *idp
	at      time.Time // when known was fetched
	tried   time.Time // when a fetch ended
	fetches int
	failure error // of the last fetch
}

func newSource(c *Config) *source {
	return &source{client: c.HTTP, url: c.IDPMetadataURL, want: c.IDPIssuer, now: c.Now, turn: make(chan struct{}, 1)}
}

// get returns the provider as it is known.
func (s *source) get(ctx context.Context) (*idp, error) {
	known, age, fetches := s.state()
	if known != nil && age < fresh && known.valid(s.now()) {
		return known, nil
	}
	// The provider may be down: what is known is asked for anew once a minute only.
	if known == nil || s.due() {
		err := s.fetch(ctx, fetches)
		if known, age, _ = s.state(); known == nil {
			return nil, err
		}
	}
	if age >= stale || !known.valid(s.now()) {
		return nil, errors.New("the metadata of the provider has expired and cannot be fetched")
	}
	return known, nil
}

// renew fetches once more because of a signature by a key that is not known. nil:
// there is nothing newer than old. A stranger can cause it, so not at any rate.
func (s *source) renew(ctx context.Context, old *idp) *idp {
	known, _, fetches := s.state()
	if known == old && s.due() {
		_ = s.fetch(ctx, fetches) // what went wrong is nothing to who logs in
		known, _, _ = s.state()
	}
	if known == old {
		return nil
	}
	return known
}

func (s *source) state() (known *idp, age time.Duration, fetches int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known, s.now().Sub(s.at), s.fetches
}

func (s *source) due() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now().Sub(s.tried) >= betweenRe
}

// fetch fetches, or waits for who does. before is how many fetches there had been
// when it was found that one is needed.
func (s *source) fetch(ctx context.Context, before int) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	s.mu.Lock()
	fetches, failure := s.fetches, s.failure
	s.mu.Unlock()
	if fetches != before {
		return failure
	}
	got, err := s.load(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	// A browser that went away says nothing of the provider.
	if ctx.Err() != nil && err != nil {
		return ctx.Err()
	}
	s.fetches++
	s.tried, s.failure = s.now(), err
	if err == nil {
		s.known, s.at = got, s.tried
	}
	return err
}

func (s *source) load(ctx context.Context) (*idp, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/samlmetadata+xml, application/xml, text/xml")
	res, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the answer to %s is %s", s.url, res.Status)
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, int64(metadataLimits.bytes)+1))
	if err != nil {
		return nil, err
	}
	got, err := readMetadata(raw, s.want)
	if err == nil && !got.valid(s.now()) {
		err = errors.New("the metadata is no longer valid (validUntil)")
	}
	return got, err
}
