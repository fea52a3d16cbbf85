package gss

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/go-krb5/krb5/config"
	"github.com/go-krb5/krb5/iana/etypeID"

	"github.com/flume-go/flume/internal/vfs"
)

const (
	// envConfig is the variable that names the configuration of Kerberos.
	envConfig     = "KRB5_CONFIG"
	defaultConfig = "/etc/krb5.conf"
	// javaConfig is Java's property for the same.
	javaConfig = "java.security.krb5.conf"
)

// Environment returns the variables that say what these system properties (the -D
// options of a command line) say. A launcher sets them before components are
// checked: system properties win over the environment.
func Environment(system map[string]string) map[string]string {
	if path := system[javaConfig]; path != "" {
		return map[string]string{envConfig: path}
	}
	return nil
}

// ConfigPath returns where the configuration of Kerberos is: a path, or several
// separated as in PATH, of which those that exist count.
func ConfigPath() string {
	if path := os.Getenv(envConfig); path != "" {
		return path
	}
	return defaultConfig
}

// whereConfig is for messages.
func whereConfig() string {
	return fmt.Sprintf("krb5.conf %s (the variable %s or the option -D%s=… names another)", ConfigPath(), envConfig, javaConfig)
}

// loadConfig reads the configuration.
func loadConfig(fs vfs.FS) (*config.Config, error) {
	text, err := configText(fs, ConfigPath())
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", whereConfig(), err)
	}
	c, err := config.NewFromString(text)
	var unsupported config.UnsupportedDirective
	if err != nil && !errors.As(err, &unsupported) {
		return nil, fmt.Errorf("reading %s: %w", whereConfig(), err)
	}
	if err := restrict(c); err != nil {
		return nil, fmt.Errorf("reading %s: %w", whereConfig(), err)
	}
	return c, nil
}

// strong are the encryption types that this package speaks, in the order in which
// MIT Kerberos prefers them.
var strong = []int32{
	etypeID.AES256_CTS_HMAC_SHA1_96, etypeID.AES128_CTS_HMAC_SHA1_96,
	etypeID.AES256_CTS_HMAC_SHA384_192, etypeID.AES128_CTS_HMAC_SHA256_128,
}

// restrict leaves the types in c that this package speaks: those that are written
// there, and where none are, all. The library's own default lacks the types with
// SHA-2.
func restrict(c *config.Config) error {
	plain := config.New().LibDefaults
	d := &c.LibDefaults
	for _, list := range []struct {
		name           string
		names, unnamed []string
		ids            *[]int32
	}{
		{"default_tkt_enctypes", d.DefaultTktEnctypes, plain.DefaultTktEnctypes, &d.DefaultTktEnctypeIDs},
		{"default_tgs_enctypes", d.DefaultTGSEnctypes, plain.DefaultTGSEnctypes, &d.DefaultTGSEnctypeIDs},
		{"permitted_enctypes", d.PermittedEnctypes, plain.PermittedEnctypes, &d.PermittedEnctypeIDs},
	} {
		if slices.Equal(list.names, list.unnamed) {
			*list.ids = slices.Clone(strong)
			continue
		}
		*list.ids = slices.DeleteFunc(*list.ids, func(id int32) bool { return !slices.Contains(strong, id) })
		if len(*list.ids) == 0 {
			return fmt.Errorf("%s has no type that is supported; add aes256-cts-hmac-sha1-96 or remove the line", list.name)
		}
	}
	return nil
}

// Bounds of configuration files.
const (
	mostConfig  = 1 << 20 // bytes, all files together
	mostInclude = 10      // files that include each other
)

// sections gathers what files say, section by section: the library takes the last
// one of a name only, and knows no includes.
type sections struct {
	fs    vfs.FS
	names []string
	lines map[string][]string
	size  int
}

func configText(fs vfs.FS, paths string) (string, error) {
	s := sections{fs: fs, lines: map[string][]string{}}
	var missing error
	for _, path := range filepath.SplitList(paths) {
		if err := s.file(path, mostInclude); errors.Is(err, os.ErrNotExist) {
			missing = err
		} else if err != nil {
			return "", err
		}
	}
	if len(s.names) == 0 && missing != nil {
		return "", missing
	}
	var out strings.Builder
	for _, name := range s.names {
		fmt.Fprintf(&out, "[%s]\n%s\n", name, strings.Join(s.lines[name], "\n"))
	}
	return out.String(), nil
}

func (s *sections) file(path string, depth int) error {
	if depth == 0 {
		return fmt.Errorf("%s: files include each other more than %d deep", path, mostInclude)
	}
	data, err := vfs.ReadFile(s.fs, path)
	if err != nil {
		return err
	}
	if s.size += len(data); s.size > mostConfig {
		return fmt.Errorf("%s: there are more than %d bytes of configuration", path, mostConfig)
	}
	section := ""
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		what, rest := line, ""
		if i := strings.IndexAny(line, " \t"); i > 0 {
			what, rest = line[:i], strings.TrimSpace(line[i:])
		}
		switch {
		case line == "" || line[0] == '#' || line[0] == ';' || what == "module":
		case what == "include":
			err = s.file(rest, depth-1)
		case what == "includedir":
			err = s.folder(rest, depth-1)
		case line[0] == '[' && strings.HasSuffix(line, "]"):
			section = line[1 : len(line)-1]
			if _, known := s.lines[section]; !known {
				s.names, s.lines[section] = append(s.names, section), []string{}
			}
		case section != "":
			// The library has a name of its own for this one.
			if value, found := strings.CutPrefix(line, "clockskew"); found && section == "libdefaults" {
				line = "clock_skew" + value
			}
			s.lines[section] = append(s.lines[section], line)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// included is what names of files in an included folder are like; others are not
// read, as MIT Kerberos does.
var included = regexp.MustCompile(`^([A-Za-z0-9_-]+|[^.].*\.conf)$`)

func (s *sections) folder(path string, depth int) error {
	entries, err := s.fs.ReadDir(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() || !included.MatchString(e.Name()) {
			continue
		}
		if err := s.file(filepath.Join(path, e.Name()), depth); err != nil {
			return err
		}
	}
	return nil
}

// realmOf returns the realm of p: its own, that of its host, or the default one.
func realmOf(c *config.Config, p Principal) string {
	if p.Realm != "" {
		return p.Realm
	}
	if realm := c.ResolveRealm(p.Host()); p.Host() != "" && realm != "" {
		return realm
	}
	return c.LibDefaults.DefaultRealm
}

// hasKDC reports whether c says how to find a KDC of realm.
func hasKDC(c *config.Config, realm string) bool {
	if c.LibDefaults.DNSLookupKDC {
		return true
	}
	return slices.ContainsFunc(c.Realms, func(r config.Realm) bool { return r.Realm == realm && len(r.KDC) > 0 })
}

func noKDC(realm string) error {
	return fmt.Errorf("realm %s has no KDC in %s; name one in [realms], or set dns_lookup_kdc = true", realm, whereConfig())
}
