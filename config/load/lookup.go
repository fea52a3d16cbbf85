package load

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/flume-go/flume/property"
)

// lookup is what a prefix in ${prefix:name} stands for.
type lookup struct {
	// origin says where values come from; the name is added to it.
	origin string
	// opaque says that names are data, which may be secret and is not shown.
	opaque bool
	// find returns the value of a name. An error means that the name makes no
	// sense, not that it is undefined.
	find func(name string) (value string, ok bool, err error)
}

// Names of the lookups in a table given with -Dlookups.
const (
	lookupClass       = "org.apache.commons.text.lookup.DefaultStringLookup."
	defaultLookupFile = "lookups.properties"
	lookupFileKey     = "lookups"
	envResolverKey    = "propertiesImplementation"
	envResolverClass  = "org.apache.flume.node.EnvVarResolverProperties"
)

// knownLookups returns every lookup there is, by the name commons-text has for it.
func (o *Options) knownLookups() map[string]lookup {
	return map[string]lookup{
		"ENVIRONMENT":       {origin: "environment variable", find: o.lookupEnv},
		"SYSTEM_PROPERTIES": {origin: "system property", find: o.lookupSystem},
		"JAVA":              {origin: "platform text", find: o.lookupJava},
		"DATE":              {origin: "date", find: o.lookupDate},
		"BASE64_ENCODER":    {origin: "base64 encoding", opaque: true, find: encodeBase64},
		"BASE64_DECODER":    {origin: "base64 decoding", opaque: true, find: decodeBase64},
		"URL_ENCODER":       {origin: "URL encoding", opaque: true, find: encodeURL},
		"URL_DECODER":       {origin: "URL decoding", opaque: true, find: decodeURL},
	}
}

// lookups returns the lookups by prefix: Flume's four, or those of the table
// that -Dlookups names or that stands in the configuration directory.
func (o *Options) lookups() (map[string]lookup, property.Problems) {
	known := o.knownLookups()
	path, given := o.System[lookupFileKey]
	if given {
		if _, err := os.Stat(path); err != nil {
			if found, err := findResource(path, o.classpath()); err == nil {
				path = found
			}
		}
	} else if found, err := findResource(defaultLookupFile, o.classpath()); err == nil {
		path = found
	}
	standard := map[string]lookup{
		"env": known["ENVIRONMENT"], "sys": known["SYSTEM_PROPERTIES"], "java": known["JAVA"], "date": known["DATE"],
	}
	if path == "" {
		return standard, nil
	}
	data, _, err := newFileSource(path, path).Fetch(context.Background())
	if err != nil {
		return standard, property.Problems{{
			Severity: property.Error,
			At:       property.Position{File: path},
			What:     fmt.Sprintf("the table of lookups cannot be read: %v", err),
			Remedy:   "correct -Dlookups, or leave it out",
		}}
	}
	return lookupTable(path, data, known)
}

// lookupTable reads a table: prefix = class name.
func lookupTable(path string, data []byte, known map[string]lookup) (map[string]lookup, property.Problems) {
	entries, problems := property.Read(path, data)
	table := make(map[string]lookup, len(entries))
	for _, e := range entries {
		e = e.Trimmed()
		name, _ := strings.CutPrefix(e.Value.Text, lookupClass)
		if l, ok := known[name]; ok && name != e.Value.Text {
			table[strings.ToLower(e.Key)] = l
			continue
		}
		problems = append(problems, property.Problem{
			Severity: property.Error,
			At:       e.Value.At,
			Key:      e.Key,
			What:     fmt.Sprintf("lookup %q is not available", e.Value.Text),
			Remedy: "use " + lookupClass + "<name> with ENVIRONMENT, SYSTEM_PROPERTIES, JAVA, DATE, " +
				"BASE64_ENCODER, BASE64_DECODER, URL_ENCODER or URL_DECODER",
		})
	}
	return table, problems
}

func (o *Options) lookupEnv(name string) (string, bool, error) {
	v, ok := o.LookupEnv(name)
	return v, ok, nil
}

// lookupSystem finds what was given with -D and those properties of a JVM that
// configurations use and that mean something without one.
func (o *Options) lookupSystem(name string) (string, bool, error) {
	if v, ok := o.System[name]; ok {
		return v, true, nil
	}
	switch name {
	case "user.home":
		v, ok := o.LookupEnv("HOME")
		return v, ok, nil
	case "user.name":
		v, ok := o.LookupEnv("USER")
		return v, ok, nil
	case "user.dir":
		dir, err := os.Getwd()
		return dir, err == nil, nil
	case "java.io.tmpdir":
		return os.TempDir(), true, nil
	case "os.name":
		return runtime.GOOS, true, nil
	case "os.arch":
		return runtime.GOARCH, true, nil
	case "file.separator":
		return string(filepath.Separator), true, nil
	case "path.separator":
		return string(filepath.ListSeparator), true, nil
	case "line.separator":
		return "\n", true, nil
	case "file.encoding":
		return "UTF-8", true, nil
	}
	return "", false, nil
}

// lookupJava describes the platform under the names commons-text gives to its parts.
func (o *Options) lookupJava(name string) (string, bool, error) {
	switch name {
	case "version":
		return "Go version " + strings.TrimPrefix(runtime.Version(), "go"), true, nil
	case "runtime":
		version := o.Version
		if version == "" {
			version = "unknown"
		}
		return "Flume in Go (version " + version + ", " + runtime.Version() + ")", true, nil
	case "vm":
		return "none, native code (" + runtime.Compiler + ")", true, nil
	case "os":
		return runtime.GOOS + ", architecture: " + runtime.GOARCH, true, nil
	case "hardware":
		return fmt.Sprintf("processors: %d, architecture: %s", runtime.NumCPU(), runtime.GOARCH), true, nil
	case "locale":
		language, ok := o.LookupEnv("LANG")
		if !ok {
			language = "C"
		}
		return "default locale: " + language + ", platform encoding: UTF-8", true, nil
	}
	return "", false, errors.New("java knows version, runtime, vm, os, hardware and locale")
}

func (o *Options) lookupDate(pattern string) (string, bool, error) {
	if o.FormatDate == nil {
		return "", false, errors.New("this program formats no dates")
	}
	v, err := o.FormatDate(pattern, time.Now())
	return v, err == nil, err
}

func encodeBase64(text string) (string, bool, error) {
	return base64.StdEncoding.EncodeToString([]byte(text)), true, nil
}

func decodeBase64(text string) (string, bool, error) {
	v, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", false, errors.New("the text is not base64")
	}
	return strings.ToValidUTF8(string(v), "\ufffd"), true, nil
}

func encodeURL(text string) (string, bool, error) { return url.QueryEscape(text), true, nil }

func decodeURL(text string) (string, bool, error) {
	v, err := url.QueryUnescape(text)
	if err != nil {
		return "", false, errors.New("the text is not URL-encoded")
	}
	return strings.ToValidUTF8(v, "\ufffd"), true, nil
}
