// Package launch is what stands between a command line written for Apache
// Flume's launcher and a program without a JVM: the forms of its options, its
// options file, its environment script, and the JVM options that still mean
// something.
package launch

import (
	"fmt"
	"sort"
	"strings"
)

// Option is an option of Flume's launcher or application.
type Option struct {
	Name  string // long name, without dashes
	Short string // short name, which may have several letters (-user); "" if none
	Value bool   // takes a value
}

// Options are all that a flume-ng command line may hold.
var Options = []Option{
	{"name", "n", true}, {"conf", "c", true}, {"conf-file", "f", true}, {"conf-uri", "u", true},
	{"conf-provider", "prov", true}, {"auth-provider", "a", true}, {"conf-user", "user", true}, {"conf-password", "pwd", true},
	{"poll-interval", "i", true}, {"backup-directory", "b", true}, {"no-reload-conf", "", false},
	{"zkConnString", "z", true}, {"zkBasePath", "p", true}, {"help", "h", false},
	{"classpath", "C", true}, {"plugins-path", "", true}, {"dryrun", "d", false},
	// Ours.
	{"lenient", "", false}, {"stop-timeout", "", true}, {"log-level", "", true}, {"log-format", "", true}, {"format", "", true},
}

// Normalize rewrites a Flume command line to one that any GNU-style parser
// reads: "-user x" becomes "--conf-user=x", an unambiguous abbreviation
// ("--conf-f") the full name, "-name" the same with two dashes. JVM options are
// taken out and returned by themselves.
func Normalize(args []string) (rest []string, jvm JVM, err error) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return append(rest, args[i:]...), jvm, nil
		}
		if taken, err := jvm.take(arg); taken || err != nil {
			if err != nil {
				return nil, jvm, err
			}
			continue
		}
		if len(arg) < 2 || arg[0] != '-' {
			rest = append(rest, arg)
			continue
		}
		name, value, has := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		o, err := match(name, strings.HasPrefix(arg, "--"))
		if err != nil {
			return nil, jvm, err
		}
		if o == nil {
			return nil, jvm, fmt.Errorf("unknown option %s", strings.SplitN(arg, "=", 2)[0])
		}
		switch {
		case !o.Value && has:
			return nil, jvm, fmt.Errorf("option --%s takes no value", o.Name)
		case !o.Value:
			rest = append(rest, "--"+o.Name)
			continue
		case !has && i+1 == len(args):
			return nil, jvm, fmt.Errorf("option --%s needs a value", o.Name)
		case !has:
			i++
			value = args[i]
		}
		rest = append(rest, "--"+o.Name+"="+value)
	}
	return rest, jvm, nil
}

// match finds the option of this name: exactly, or as an abbreviation of a long
// name that fits one option only.
func match(name string, long bool) (*Option, error) {
	var near []*Option
	for i := range Options {
		o := &Options[i]
		if name == o.Name || (!long && o.Short != "" && name == o.Short) {
			return o, nil
		}
		if strings.HasPrefix(o.Name, name) {
			near = append(near, o)
		}
	}
	switch len(near) {
	case 0:
		return nil, nil
	case 1:
		return near[0], nil
	}
	names := make([]string, len(near))
	for i, o := range near {
		names[i] = "--" + o.Name
	}
	sort.Strings(names)
	return nil, fmt.Errorf("option --%s is ambiguous: it may be %s", name, strings.Join(names, ", "))
}
