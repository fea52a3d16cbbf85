package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flume-go/flume/agent"
)

func TestNewAdmin(t *testing.T) {
	tests := []struct {
		address, token string
		err            string
	}{
		{"127.0.0.1:0", "", ""},
		{"127.8.9.1:0", "", ""},
		{"[::1]:0", "", ""},
		{"localhost:0", "", ""},
		{"LOCALHOST:0", "", ""},
		{":9000", "secret", ""},
		{"0.0.0.0:9000", "secret", ""},
		{"", "", "flume.admin.address is missing"},
		{"9000", "", "is not host:port"},
		{"127.0.0.1:", "", "is not host:port"},
		{":9000", "", "needs flume.admin.token"},
		{"0.0.0.0:9000", "", "listen on 127.0.0.1:9000"},
		{"example.org:9000", "", "needs flume.admin.token"},
		{"localhost.example.org:9000", " ", "needs flume.admin.token"},
		{"[::]:9000", "", "needs flume.admin.token"},
	}
	for _, tt := range tests {
		_, err := NewAdmin(map[string]string{"address": tt.address, "token": tt.token}, newFake(), nil, options(t))
		if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%q with token %q: error %v, want %q", tt.address, tt.token, err, tt.err)
		}
	}
}

func newTestAdmin(t *testing.T, token string, f *fake, reload func(context.Context) error) *admin {
	t.Helper()
	r, err := NewAdmin(map[string]string{"address": "127.0.0.1:0", "token": token}, f, reload, options(t))
	if err != nil {
		t.Fatal(err)
	}
	return r.(*admin)
}

// TestAdminTokenFile has the ways to give the token out of sight.
func TestAdminTokenFile(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	good := write("good", "  s3cret \r\n")
	for _, c := range []struct {
		token, file string
		err         string
	}{
		{"", good, ""},
		{"", " " + good + " ", ""},
		{"s3cret", "", ""},
		{"other", good, "flume.admin.tokenFile: flume.admin.token is given, too; remove one of the two"},
		{"", filepath.Join(dir, "missing"), "missing: no such file or directory"},
		{"", dir, "is a directory"},
		{"", write("empty", " \n"), "empty is empty; write the value of flume.admin.token into it"},
		{"", write("large", strings.Repeat("x", maxSecret+1)), "large has more than 4096 bytes"},
	} {
		r, err := NewAdmin(map[string]string{"address": "0.0.0.0:9000", "token": c.token, "tokenFile": c.file}, newFake(), nil, options(t))
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), "flume.admin.tokenFile") {
				t.Errorf("token %q, file %q: error %v, want %q", c.token, c.file, err, c.err)
			}
			if err != nil && strings.Contains(err.Error(), "can be reached") {
				t.Errorf("token %q, file %q: the error says that there is no token: %v", c.token, c.file, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("token %q, file %q: %v", c.token, c.file, err)
			continue
		}
		for header, want := range map[string]int{"Bearer s3cret": 200, "Bearer": 401, "Bearer " + good: 401} {
			if w := ask(t, r.(*admin).http.Handler, "GET", "http://other.example/status", "Authorization", header); w.Code != want {
				t.Errorf("token %q, file %q: %q is answered with %d, want %d", c.token, c.file, header, w.Code, want)
			}
		}
	}
}

// askAdmin sends a request with the host a client on this machine would name.
func askAdmin(t *testing.T, a *admin, method, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	return ask(t, a.http.Handler, method, "http://localhost"+path, headers...)
}

func TestAdminToken(t *testing.T) {
	a := newTestAdmin(t, "s3cret", newFake(), nil)
	for header, want := range map[string]int{
		"":                401,
		"Bearer s3cret":   200,
		"bearer s3cret":   200,
		"Bearer  s3cret ": 200,
		"Bearer s3cre":    401,
		"Bearer s3crets":  401,
		"Bearer":          401,
		"Basic s3cret":    401,
		"s3cret":          401,
	} {
		w := ask(t, a.http.Handler, "GET", "http://other.example/status", "Authorization", header)
		if w.Code != want {
			t.Errorf("%q: %d, want %d", header, w.Code, want)
		}
		if want == 401 && w.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%q: no challenge", header)
		}
	}
}

func TestAdminWithoutToken(t *testing.T) {
	a := newTestAdmin(t, "", newFake(), func(context.Context) error { return nil })
	tests := []struct {
		method, url string
		headers     []string
		want        int
	}{
		{"GET", "http://localhost/status", nil, 200},
		{"GET", "http://localhost:9000/status", nil, 200},
		{"GET", "http://127.0.0.1:9000/status", nil, 200},
		{"GET", "http://[::1]:9000/status", nil, 200},
		{"GET", "http://[::1]/status", nil, 200},
		{"GET", "http://rebound.example/status", nil, 403},
		{"POST", "http://rebound.example/reload", nil, 403},
		{"POST", "http://localhost/reload", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"POST", "http://localhost/reload", []string{"Origin", "http://evil.example"}, 403},
		{"POST", "http://localhost/reload", nil, 200},
		{"GET", "http://localhost/reload", nil, 405},
		{"POST", "http://localhost/status", nil, 405},
		{"GET", "http://localhost/", nil, 404},
		{"GET", "http://localhost/metrics", nil, 404},
	}
	for _, tt := range tests {
		if w := ask(t, a.http.Handler, tt.method, tt.url, tt.headers...); w.Code != tt.want {
			t.Errorf("%s %s %v: %d, want %d", tt.method, tt.url, tt.headers, w.Code, tt.want)
		}
	}
}

func TestAdminReload(t *testing.T) {
	f := newFake()
	for _, changed := range [][]string{{"route of source r1", "sink k2 removed"}, nil} {
		a := newTestAdmin(t, "", f, func(context.Context) error {
			f.reloads = agent.ReloadStatus{Succeeded: 1, LastAt: then, LastChanged: changed}
			return nil
		})
		w := askAdmin(t, a, "POST", "/reload")
		var got reloadAnswer
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%d: %s (%v)", w.Code, w.Body, err)
		}
		want := reloadAnswer{Result: "reloaded", Changed: append([]string{}, changed...)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("answer differs (-want +got):\n%s", diff)
		}
		if status := askAdmin(t, a, "GET", "/status").Body.String(); strings.Contains(status, `"lastChanged"`) != (changed != nil) {
			t.Errorf("after %q the status is %s", changed, status)
		}
	}
}

func TestAdminReloadFails(t *testing.T) {
	a := newTestAdmin(t, "", newFake(), func(context.Context) error { return errors.New("a1.conf:3: no such channel") })
	w := askAdmin(t, a, "POST", "/reload")
	if w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "a1.conf:3: no such channel") {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
}

// TestAdminReloadTwice asks for a second reload during the first, whose client
// leaves, and closes the API during it.
func TestAdminReloadTwice(t *testing.T) {
	entered := make(chan struct{})
	a := newTestAdmin(t, "", newFake(), func(ctx context.Context) error {
		close(entered)
		<-ctx.Done()
		return context.Cause(ctx)
	})
	client, leave := context.WithCancel(t.Context())
	first := make(chan *httptest.ResponseRecorder)
	go func() {
		w := httptest.NewRecorder()
		a.http.Handler.ServeHTTP(w, httptest.NewRequest("POST", "http://localhost/reload", nil).WithContext(client))
		first <- w
	}()
	<-entered
	leave()
	if w := askAdmin(t, a, "POST", "/reload"); w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "under way") {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
	select {
	case <-first:
		t.Fatal("the reload ended with its client")
	default:
	}
	if err := a.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if w := <-first; w.Code != http.StatusConflict {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
}

func TestAdminServes(t *testing.T) {
	a := newTestAdmin(t, "s3cret", newFake(), func(context.Context) error { return nil })
	start(t, a)
	req, err := http.NewRequest(http.MethodPost, "http://"+a.Addr()+"/reload", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer s3cret")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body := readAll(t, resp.Body); resp.StatusCode != 200 || !strings.Contains(body, "reloaded") {
		t.Errorf("%d: %s", resp.StatusCode, body)
	}
}
