package tlsconf

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/flume-go/flume/component"
)

// Suites is the properties that choose protocols and cipher suites.
type Suites struct {
	IncludeProtocols []string `flume:"include-protocols" doc:"Protocols to allow, by Java's names, such as TLSv1.2; empty for all that are safe. Without, those of FLUME_SSL_INCLUDE_PROTOCOLS."`
	ExcludeProtocols []string `flume:"exclude-protocols" doc:"Protocols not to allow; SSLv3 and everything below TLSv1.2 never is. Without, those of FLUME_SSL_EXCLUDE_PROTOCOLS."`
	IncludeSuites    []string `flume:"include-cipher-suites" doc:"Cipher suites to allow, by Java's names; empty for all that are safe. Without, those of FLUME_SSL_INCLUDE_CIPHERSUITES."`
	ExcludeSuites    []string `flume:"exclude-cipher-suites" doc:"Cipher suites not to allow. Without, those of FLUME_SSL_EXCLUDE_CIPHERSUITES."`
}

// protocols are those that can be had. A current JVM has the same two switched
// on, and nothing that it has switched off can be switched on by Flume either.
var protocols = []struct {
	name    string
	version uint16
}{
	{"TLSv1.2", tls.VersionTLS12},
	{"TLSv1.3", tls.VersionTLS13},
}

// oldProtocols are names that Java knows besides.
var oldProtocols = []string{"SSLv2Hello", "SSLv3", "TLSv1", "TLSv1.1"}

// versions is what is allowed.
type versions struct {
	lowest, highest uint16
	suites          []uint16 // for TLS 1.2; nil: the library's choice
}

func (s Suites) withGlobals() Suites {
	fillList(&s.IncludeProtocols, envIncludeProtocols)
	fillList(&s.ExcludeProtocols, envExcludeProtocols)
	fillList(&s.IncludeSuites, envIncludeSuites)
	fillList(&s.ExcludeSuites, envExcludeSuites)
	return s
}

// check looks for names without a meaning.
func (s Suites) check(r *component.Report) {
	known := protocolNames()
	for _, p := range []struct {
		key   string
		names []string
	}{{"include-protocols", s.IncludeProtocols}, {"exclude-protocols", s.ExcludeProtocols}} {
		for _, name := range p.names {
			switch {
			case slices.Contains(known, name):
			case slices.Contains(oldProtocols, name):
				if p.key == "include-protocols" {
					r.Warn(p.key, fmt.Sprintf("%s is not safe and cannot be allowed", name), "allow "+strings.Join(known, " or "))
				}
			default:
				r.Warn(p.key, fmt.Sprintf("there is no protocol %q", name), suggestion(name, slices.Concat(known, oldProtocols)))
			}
		}
	}
	suites := suiteNames()
	for _, name := range s.IncludeSuites {
		if !slices.Contains(suites, name) {
			r.Warn("include-cipher-suites", fmt.Sprintf("there is no cipher suite %q here", name), suggestion(name, suites))
		}
	}
	if kept := s.keptOf13(); kept > 0 && kept < len(suites13()) {
		r.Advise("include-cipher-suites", "the cipher suites of TLSv1.3 cannot be chosen one by one: all of them are allowed", "exclude TLSv1.3 if that matters")
	}
	if _, err := s.withGlobals().resolve(); err != nil {
		r.Error("include-protocols", err.Error(), "allow more of them")
	}
}

func suggestion(name string, known []string) string {
	if near := component.Nearest(name, known); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return "remove it"
}

func protocolNames() []string {
	names := make([]string, len(protocols))
	for i, p := range protocols {
		names[i] = p.name
	}
	return names
}

// available are the suites that can be had: those that are safe, and those on
// AES that have a weakness and are used only if they are asked for by name.
func available() []*tls.CipherSuite {
	all := slices.Clone(tls.CipherSuites())
	for _, s := range tls.InsecureCipherSuites() {
		if strings.Contains(s.Name, "_AES_") {
			all = append(all, s)
		}
	}
	return all
}

func suiteNames() []string {
	var names []string
	for _, s := range available() {
		names = append(names, s.Name)
	}
	return names
}

func suites13() []string {
	var names []string
	for _, s := range tls.CipherSuites() {
		if is13(s) {
			names = append(names, s.Name)
		}
	}
	return names
}

func is13(s *tls.CipherSuite) bool {
	return slices.Equal(s.SupportedVersions, []uint16{tls.VersionTLS13})
}

// keptOf13 returns how many suites of TLS 1.3 the lists leave.
func (s Suites) keptOf13() int {
	n := 0
	for _, name := range suites13() {
		if allowed(name, s.IncludeSuites, s.ExcludeSuites) {
			n++
		}
	}
	return n
}

func allowed(name string, include, exclude []string) bool {
	return (len(include) == 0 || slices.Contains(include, name)) && !slices.Contains(exclude, name)
}

// resolve turns the names into what package tls wants.
func (s Suites) resolve() (versions, error) {
	var v versions
	if len(s.IncludeSuites)+len(s.ExcludeSuites) > 0 {
		v.suites = []uint16{}
		for _, suite := range available() {
			if suite.Insecure && len(s.IncludeSuites) == 0 {
				continue
			}
			if !is13(suite) && allowed(suite.Name, s.IncludeSuites, s.ExcludeSuites) {
				v.suites = append(v.suites, suite.ID)
			}
		}
	}
	for _, p := range protocols {
		usable := allowed(p.name, s.IncludeProtocols, s.ExcludeProtocols)
		if p.version == tls.VersionTLS13 {
			usable = usable && s.keptOf13() > 0
		} else {
			usable = usable && (v.suites == nil || len(v.suites) > 0)
		}
		if !usable {
			continue
		}
		if v.lowest == 0 {
			v.lowest = p.version
		}
		v.highest = p.version
	}
	if v.lowest == 0 {
		return v, errors.New("the lists of protocols and cipher suites (include-…, exclude-…) leave none that can be used")
	}
	return v, nil
}
