package monitor

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/flume-go/flume/internal/netio"
)

// reloadLimit bounds a reload that the admin API waits for. The agent bounds its
// steps itself; this is for what comes before, such as reading the configuration.
const reloadLimit = 10 * time.Minute

// NewAdmin returns the admin API that the flume.admin.* properties describe;
// settings are those without that prefix:
//
//	address    host:port to listen on
//	token      what clients send as "Authorization: Bearer <token>"; may be left
//	           out when address is on the loopback interface, and only then
//	tokenFile  a file with the token, instead of it: arguments of a command line
//	           can be seen by everybody on the machine. Read once, here.
//
// It answers GET /status, as the http reporter does, and POST /reload: 200 with
// what changed when reload returned nil, 409 with the error's text when it did
// not, or while another reload is under way. reload is called once at a time; its
// ctx ends when the API is closed, not when the client leaves.
func NewAdmin(given map[string]string, subject Subject, reload func(context.Context) error, o Options) (Reporter, error) {
	s := newSettings("flume.admin.", given, o.Log)
	address, token := s.text("address", ""), s.secret("token", "tokenFile")
	err := s.finish()
	if err == nil {
		err = checkAdmin(address, token)
	}
	if err != nil {
		return nil, err
	}
	a := &admin{subject: subject, reload: reload, options: o}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		a.token = sum[:]
	}
	a.life, a.end = context.WithCancel(context.Background())
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, look(subject, o, time.Now()))
	})
	mux.HandleFunc("POST /reload", a.postReload)
	// A page of another site must not reload an agent on the reader's machine.
	guarded := http.NewCrossOriginProtection().Handler(mux)
	a.server = newServer("admin API", address, "free the port, or choose another with flume.admin.address", a.authorize(guarded), o.Log)
	return a, nil
}

// checkAdmin refuses an API that anyone on the network could use.
func checkAdmin(address, token string) error {
	if address == "" {
		return errors.New("flume.admin.address is missing: it is host:port")
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || port == "" {
		return fmt.Errorf("flume.admin.address: %q is not host:port", address)
	}
	if token == "" && !loopback(host) {
		return fmt.Errorf("flume.admin.address: %q can be reached from other machines, which needs flume.admin.token; set it, or flume.admin.tokenFile, or listen on 127.0.0.1:%s", address, port)
	}
	return nil
}

// loopback reports whether host names this machine to itself alone. Names other
// than localhost are not looked up: what they mean can change.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

// admin is the admin API.
type admin struct {
	*server
	subject   Subject
	reload    func(context.Context) error
	options   Options
	token     []byte          // SHA-256 of it; nil if none is needed
	life      context.Context //nolint:containedctx // until Close
	end       context.CancelFunc
	reloading sync.Mutex
	refused   netio.LogLimit
}

// Close implements Reporter. A reload under way is given up.
func (a *admin) Close(ctx context.Context) error {
	a.end()
	return a.server.Close(ctx)
}

// authorize lets requests with the token pass. Without a token it lets those pass
// that name this machine: a name that an attacker's DNS points here is none.
func (a *admin) authorize(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		if a.token == nil && !loopback(hostOf(r)) {
			a.refuse(w, r, http.StatusForbidden, "the Host header must be localhost or a loopback address")
			return
		}
		if a.token != nil && !a.bears(r) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="flume"`)
			a.refuse(w, r, http.StatusUnauthorized, "the request needs the header Authorization: Bearer with the agent's token")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// bears compares hashes, so that the time tells neither content nor length.
func (a *admin) bears(r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
	return subtle.ConstantTimeCompare(sum[:], a.token) == 1 && strings.EqualFold(scheme, "Bearer")
}

func (a *admin) refuse(w http.ResponseWriter, r *http.Request, code int, why string) {
	if ok, suppressed := a.refused.Allow(); ok {
		a.log.Warn("admin API refused a request", "client", r.RemoteAddr, "reason", why, "suppressed", suppressed)
	}
	answer(w, code, reloadAnswer{Result: "refused", Error: why})
}

func hostOf(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.Host); err == nil {
		return host
	}
	return strings.Trim(r.Host, "[]")
}

// reloadAnswer is the body of an answer of /reload, and of a refusal.
type reloadAnswer struct {
	Result  string   `json:"result"` // reloaded or refused
	Error   string   `json:"error,omitempty"`
	Changed []string `json:"changed,omitzero"` // as the log says it; empty if nothing differed
}

func (a *admin) postReload(w http.ResponseWriter, r *http.Request) {
	if !a.reloading.TryLock() {
		answer(w, http.StatusConflict, reloadAnswer{Result: "refused", Error: "another reload is under way"})
		return
	}
	defer a.reloading.Unlock()
	// A reload may take longer than answers usually do.
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(reloadLimit + writeTimeout)); err != nil {
		a.log.Debug("admin API cannot extend the time for an answer", "error", err)
	}
	ctx, cancel := context.WithTimeout(a.life, reloadLimit)
	defer cancel()
	if err := a.reload(ctx); err != nil {
		answer(w, http.StatusConflict, reloadAnswer{Result: "refused", Error: err.Error()})
		return
	}
	a.log.Info("admin API reloaded the configuration", "client", r.RemoteAddr)
	answer(w, http.StatusOK, reloadAnswer{Result: "reloaded", Changed: append([]string{}, a.subject.Reloads().LastChanged...)})
}
