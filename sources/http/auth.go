package http

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/flume-go/flume/component"
	"github.com/flume-go/flume/internal/vfs"
)

// AuthConfig says who may send. Without any of it everybody may, as in Flume.
type AuthConfig struct {
	Token        string `flume:"auth.token" secret:"true" doc:"Clients must send this as Authorization: Bearer <token>. With auth.user, too, one of the two will do."`
	TokenFile    string `flume:"auth.tokenFile" doc:"File with the token, instead of auth.token. Read when the source starts; white space around it does not count."`
	User         string `flume:"auth.user" doc:"Clients must send this user name and a password as basic authentication."`
	Password     string `flume:"auth.password" secret:"true" doc:"Password of auth.user."`
	PasswordFile string `flume:"auth.passwordFile" doc:"File with the password, instead of auth.password. Read when the source starts."`
}

// check reports what cannot be meant. tls says whether secrets travel encrypted.
func (c AuthConfig) check(r *component.Report, tls bool) {
	for _, p := range [][2]string{{"auth.token", "auth.tokenFile"}, {"auth.password", "auth.passwordFile"}} {
		if r.Given(p[0]) && r.Given(p[1]) {
			r.Error(p[1], "is given and so is "+p[0], "remove one of the two")
		}
	}
	hasPassword := r.Given("auth.password") || r.Given("auth.passwordFile")
	switch {
	case c.User != "" && !hasPassword:
		r.Error("auth.user", "needs a password", "set auth.passwordFile or auth.password")
	case c.User == "" && hasPassword:
		r.Error("auth.password", "needs a user", "set auth.user")
	case strings.Contains(c.User, ":"):
		r.Error("auth.user", "a user name has no colon in basic authentication", "choose another")
	}
	for _, p := range []struct{ key, value string }{{"auth.token", c.Token}, {"auth.password", c.Password}} {
		if r.Given(p.key) && strings.TrimSpace(p.value) == "" {
			r.Error(p.key, "is empty", "give a secret, or remove it")
		}
	}
	if !tls && (c.User != "" || c.Token != "" || c.TokenFile != "") {
		r.Advise("ssl", "is false: secrets of clients can be read on the network", "set ssl = true, unless something before this source does TLS")
	}
}

// guard knows who may send. It holds hashes: comparing them tells neither the
// content nor the length of a secret. The zero value lets everybody pass.
type guard struct {
	token, user, password []byte // SHA-256; nil if none
	name                  string // of the user
}

// newGuard reads the secrets.
func newGuard(c AuthConfig, fs vfs.FS) (*guard, error) {
	g := &guard{name: c.User}
	token, err := secret(fs, c.Token, c.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("reading the token (property auth.tokenFile): %w", err)
	}
	g.token = hashed(token)
	if c.User == "" {
		return g, nil
	}
	password, err := secret(fs, c.Password, c.PasswordFile)
	if err != nil {
		return nil, fmt.Errorf("reading the password (property auth.passwordFile): %w", err)
	}
	if password == "" {
		return nil, errors.New("property auth.user needs a password: set auth.passwordFile or auth.password")
	}
	g.user, g.password = hashed(c.User), hashed(password)
	return g, nil
}

func hashed(secret string) []byte {
	if secret == "" {
		return nil
	}
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// maxSecret is the most bytes of a file with a secret: more is some other file.
const maxSecret = 4096

// secret returns value, or the content of file if one is named.
func secret(fs vfs.FS, value, file string) (string, error) {
	if file == "" {
		return value, nil
	}
	f, err := fs.OpenFile(file, os.O_RDONLY, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	value = strings.TrimSpace(string(text))
	switch {
	case err != nil:
		return "", err
	case len(text) > maxSecret:
		return "", fmt.Errorf("%s has more than %d bytes; it must hold nothing but the secret", file, maxSecret)
	case value == "":
		return "", fmt.Errorf("%s is empty; write the secret into it", file)
	}
	return value, nil
}

// admit returns who sends r: the user's name, or "" where there is none.
func (g *guard) admit(w http.ResponseWriter, r *http.Request) (user string, err error) {
	if g.token == nil && g.user == nil {
		return "", nil
	}
	scheme, credentials, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if g.token != nil && strings.EqualFold(scheme, "Bearer") && same(strings.TrimSpace(credentials), g.token) {
		return "", nil
	}
	if g.user != nil {
		name, password, _ := r.BasicAuth()
		// Both are compared, whatever the first says.
		knows, proves := same(name, g.user), same(password, g.password)
		if knows && proves {
			return g.name, nil
		}
		w.Header().Add("WWW-Authenticate", `Basic realm="flume", charset="UTF-8"`)
	}
	if g.token != nil {
		w.Header().Add("WWW-Authenticate", `Bearer realm="flume"`)
	}
	return "", &refusal{status: http.StatusUnauthorized, message: "The request lacks valid credentials.", closes: true}
}

func same(secret string, hash []byte) bool {
	sum := sha256.Sum256([]byte(secret))
	return subtle.ConstantTimeCompare(sum[:], hash) == 1
}
