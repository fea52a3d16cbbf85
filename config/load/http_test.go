package load

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/flume-go/flume/property"
)

// webServer answers with what the test sets, and notes the last request.
type webServer struct {
	status       int
	body         string
	lastModified string
	request      *http.Request
}

func (s *webServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.request = r
	if s.lastModified != "" {
		w.Header().Set("Last-Modified", s.lastModified)
		if r.Header.Get("If-Modified-Since") == s.lastModified {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	w.WriteHeader(s.status)
	_, _ = io.WriteString(w, s.body)
}

// web starts the server and returns a source of the path.
func web(t *testing.T, s *webServer, path string, opts Options) Source {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	source, err := newURISource(server.URL+path, &opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = source.Close() })
	return source
}

func TestHTTPModification(t *testing.T) {
	const monday, tuesday = "Mon, 02 Nov 2026 10:00:00 GMT", "Tue, 03 Nov 2026 10:00:00 GMT"
	s := &webServer{status: 200, body: "a=1", lastModified: monday}
	source := web(t, s, "/flume.properties?token=hidden", Options{})
	steps := []struct {
		name     string
		set      func()
		want     string
		modified bool
	}{
		{"first", func() {}, "a=1", true},
		{"304", func() {}, "a=1", false},
		{"newer", func() { s.body, s.lastModified = "a=2", tuesday }, "a=2", true},
		{"304 again", func() {}, "a=2", false},
		{"no date, other text", func() { s.body, s.lastModified = "a=3", "" }, "a=3", true},
		{"no date, same text", func() {}, "a=3", false},
	}
	for _, step := range steps {
		step.set()
		data, modified, err := source.Fetch(t.Context())
		if err != nil || string(data) != step.want || modified != step.modified {
			t.Errorf("%s: %q, modified %v, error %v", step.name, data, modified, err)
		}
	}
	if got := s.request.Header.Get("If-Modified-Since"); got != "" {
		t.Errorf("If-Modified-Since %q though the server sent no date", got)
	}
	if strings.Contains(source.Name(), "hidden") {
		t.Errorf("name %q shows the query", source.Name())
	}
}

func TestHTTPStatus(t *testing.T) {
	tests := []struct {
		status int
		want   string
	}{
		{401, "401 Unauthorized; check --conf-user"}, {403, "403 Forbidden; check --conf-user"}, {404, "404 Not Found"}, {500, "500 Internal"},
		{204, "204 No Content"}, {304, "304 Not Modified"},
	}
	for _, tt := range tests {
		s := &webServer{status: tt.status}
		source := web(t, s, "/f?token=hidden", Options{})
		_, _, err := source.Fetch(t.Context())
		if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), source.Name()) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%d: error %v, want %q", tt.status, err, tt.want)
		}
	}
}

func TestHTTPRequest(t *testing.T) {
	tests := []struct {
		path, user, password, contentType string
		auth                              bool
	}{
		{"/f.properties", "u", "p", "text/x-java-properties", true},
		{"/x.y/f.conf", "u", "", "text/plain", false},
		{"/f", "", "p", "text/plain", false},
		{"/f.yml", "", "", "application/yaml", false},
		{"/f.json", "", "", "application/json", false},
	}
	for _, tt := range tests {
		s := &webServer{status: 200}
		if _, _, err := web(t, s, tt.path, Options{User: tt.user, Password: tt.password}).Fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
		user, password, ok := s.request.BasicAuth()
		if ok != tt.auth || ok && (user != tt.user || password != tt.password) {
			t.Errorf("%s: authorization %q %q %v", tt.path, user, password, ok)
		}
		if got := s.request.Header.Get("Content-Type"); got != tt.contentType {
			t.Errorf("%s: Content-Type %q, want %q", tt.path, got, tt.contentType)
		}
	}
}

func TestHTTPTooLarge(t *testing.T) {
	s := &webServer{status: 200, body: "a=" + strings.Repeat("x", property.MaxSize+100)}
	data, _, err := web(t, s, "/f", Options{}).Fetch(t.Context())
	if err != nil || len(data) != property.MaxSize+1 {
		t.Fatalf("%d bytes, error %v", len(data), err)
	}
	if _, problems := property.Read("f", data); !problems.HasErrors() {
		t.Error("too much text is no error")
	}
}

func TestHTTPUnknownCertificate(t *testing.T) {
	server := httptest.NewUnstartedServer(&webServer{status: 200})
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	source, err := newURISource(strings.Replace(server.URL, "https://", "https://user:hidden@", 1)+"/f", &Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := source.Fetch(t.Context()); err == nil || !strings.Contains(err.Error(), "certificate") || strings.Contains(err.Error(), "hidden") {
		t.Errorf("error = %v, want one about the certificate, without the password", err)
	}
}

// TestHTTPTimeout has a server that takes the request and never answers.
func TestHTTPTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newHTTPSource(&url.URL{Scheme: "http", Host: "h", Path: "/f"}, "", "")
		s.client.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, context.Cause(r.Context())
		})
		_, _, err := s.Fetch(t.Context())
		if err == nil || !strings.Contains(err.Error(), "http://h/f") {
			t.Errorf("error = %v", err)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestPublicURL(t *testing.T) {
	u, err := url.Parse("https://u:secret@h:8080/p/f.conf?token=secret#secret")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(publicURL(u)), "https://u:xxxxx@h:8080/p/f.conf"; got != want {
		t.Errorf("publicURL = %s, want %s", got, want)
	}
}
