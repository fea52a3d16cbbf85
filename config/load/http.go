package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"time"

	"github.com/flume-go/flume/property"
)

// httpTimeout bounds connecting, and one whole request, as Flume's timeouts of
// 60 seconds do for connecting and for each read.
const httpTimeout = 60 * time.Second

// httpSource gets an http or https URL, with the roots of trust of the system
// and, like Java, with no proxy from the environment.
type httpSource struct {
	url            *url.URL
	user, password string
	client         *http.Client
	lastModified   string // as the server wrote it, for If-Modified-Since
	data           []byte
	loaded         bool
}

func newHTTPSource(u *url.URL, user, password string) *httpSource {
	return &httpSource{
		url: u, user: user, password: password,
		client: &http.Client{
			Timeout: httpTimeout,
			Transport: &http.Transport{
				DialContext:         (&net.Dialer{Timeout: httpTimeout}).DialContext,
				TLSHandshakeTimeout: httpTimeout,
				ForceAttemptHTTP2:   true,
				// Minutes lie between two requests.
				DisableKeepAlives: true,
			},
		},
	}
}

func (s *httpSource) Name() string      { return publicURL(s.url) }
func (s *httpSource) Extension() string { return extension(s.url.Path) }

func (s *httpSource) Close() error {
	s.client.CloseIdleConnections()
	return nil
}

// publicURL is u without what may be secret in it: password and query.
func publicURL(u *url.URL) string {
	public := *u
	public.RawQuery, public.ForceQuery, public.Fragment = "", false, ""
	return public.Redacted()
}

func (s *httpSource) Fetch(ctx context.Context) ([]byte, bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url.String(), nil)
	if err != nil {
		return nil, false, fmt.Errorf("requesting configuration %s: %w", s.Name(), withoutURL(err))
	}
	if s.user != "" && s.password != "" {
		req.SetBasicAuth(s.user, s.password)
	}
	req.Header.Set("Content-Type", contentType(path.Ext(s.url.Path)))
	if s.loaded && s.lastModified != "" {
		req.Header.Set("If-Modified-Since", s.lastModified)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, false, fmt.Errorf("requesting configuration %s: %w", s.Name(), withoutURL(err))
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusOK:
		return s.take(resp)
	case resp.StatusCode == http.StatusNotModified && s.loaded:
		return s.data, false, nil
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		return nil, false, fmt.Errorf("requesting configuration %s: the server answers %s; check --conf-user and --conf-password", s.Name(), resp.Status)
	default:
		return nil, false, fmt.Errorf("requesting configuration %s: the server answers %s; check the URI and the server", s.Name(), resp.Status)
	}
}

// take keeps a full answer. Servers without Last-Modified send one each time:
// only another text is a change.
func (s *httpSource) take(resp *http.Response) ([]byte, bool, error) {
	data, err := io.ReadAll(io.LimitReader(resp.Body, property.MaxSize+1))
	if err != nil {
		return nil, false, fmt.Errorf("receiving configuration %s: %w", s.Name(), withoutURL(err))
	}
	modified := !s.loaded || !bytes.Equal(data, s.data)
	s.data, s.lastModified, s.loaded = data, resp.Header.Get("Last-Modified"), true
	return data, modified, nil
}

// withoutURL removes the URL, which may hold secrets, from an error of net/http.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// contentType is what Flume sends with its requests: a guess by the extension.
func contentType(extension string) string {
	switch extension {
	case ".properties":
		return "text/x-java-properties"
	case ".json", ".xml":
		return "application/" + extension[1:]
	case ".yaml", ".yml":
		return "application/yaml"
	}
	return "text/plain"
}
