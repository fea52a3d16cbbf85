package launch

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNormalize has command lines as Apache Flume's users write them.
func TestNormalize(t *testing.T) {
	tests := []struct {
		name string
		args string
		rest string
		jvm  JVM
	}{
		{"short", "-n a1 -c conf -f a.conf", "--name=a1 --conf=conf --conf-file=a.conf", JVM{}},
		{"long with =", "--name=a1 --conf-file=a.conf", "--name=a1 --conf-file=a.conf", JVM{}},
		{"long with a space", "--name a1 --conf-file a.conf", "--name=a1 --conf-file=a.conf", JVM{}},
		{"long with one dash", "-name a1 -conf-file a.conf", "--name=a1 --conf-file=a.conf", JVM{}},
		{"short with =", "-n=a1", "--name=a1", JVM{}},
		{"abbreviated", "--na a1 --conf-f a.conf --poll 5", "--name=a1 --conf-file=a.conf --poll-interval=5", JVM{}},
		{"abbreviated, one dash", "-na a1", "--name=a1", JVM{}},
		{"a whole name that begins another", "--conf dir", "--conf=dir", JVM{}},
		{"a short name that begins a long one", "-p /flume -a x -d", "--zkBasePath=/flume --auth-provider=x --dryrun", JVM{}},
		{"short names of several letters", "-user u -pwd secret -prov p", "--conf-user=u --conf-password=secret --conf-provider=p", JVM{}},
		{"switches", "--no-reload-conf -h --dryrun", "--no-reload-conf --help --dryrun", JVM{}},
		{"repeated", "-f a -f b -u http://h/c", "--conf-file=a --conf-file=b --conf-uri=http://h/c", JVM{}},
		{"value with =", "--zkConnString=h:2181/x=y", "--zkConnString=h:2181/x=y", JVM{}},
		{"value with a dash", "-n -a1", "--name=-a1", JVM{}},
		{"empty value", "--name=", "--name=", JVM{}},
		{"what is no option stays", "file.conf -n a1 other", "file.conf --name=a1 other", JVM{}},
		{"a lone dash stays", "- -n a1", "- --name=a1", JVM{}},
		{"after two dashes everything stays", "-n a1 -- -x -Dk=v", "--name=a1 -- -x -Dk=v", JVM{}},
		{"properties", "-Dk=v -n a1 -Dflume.monitoring.type=http -De", "--name=a1",
			JVM{System: map[string]string{"k": "v", "flume.monitoring.type": "http", "e": ""}}},
		{"the last property wins", "-Dk=1 -Dk=2=3", "", JVM{System: map[string]string{"k": "2=3"}}},
		{"heap", "-Xmx1g", "", JVM{MaxHeap: 1 << 30}},
		{"heap in other units", "-Xmx512M -Xmx2048k", "", JVM{MaxHeap: 2 << 20}},
		{"without a meaning", "-Xms100m -XX:+UseG1GC -javaagent:x.jar -server -n a1", "--name=a1",
			JVM{Ignored: []string{"-Xms100m", "-XX:+UseG1GC", "-javaagent:x.jar", "-server"}}},
		{"ours", "--lenient --stop-timeout 5s --log-level=DEBUG", "--lenient --stop-timeout=5s --log-level=DEBUG", JVM{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rest, jvm, err := Normalize(strings.Fields(tt.args))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(rest, " "); got != tt.rest {
				t.Errorf("rest %q, want %q", got, tt.rest)
			}
			if diff := cmp.Diff(tt.jvm, jvm); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestNormalizeRefuses(t *testing.T) {
	for args, want := range map[string]string{
		"--whatever":           "unknown option --whatever",
		"--whatever=5":         "unknown option --whatever",
		"-q":                   "unknown option -q",
		"--conf- x":            "option --conf- is ambiguous: it may be --conf-file, --conf-password, --conf-provider, --conf-uri, --conf-user",
		"--conf-p x":           "option --conf-p is ambiguous: it may be --conf-password, --conf-provider",
		"--zk x":               "option --zk is ambiguous: it may be --zkBasePath, --zkConnString",
		"-n":                   "option --name needs a value",
		"--conf-file":          "option --conf-file needs a value",
		"--no-reload-conf=yes": "option --no-reload-conf takes no value",
		"-D":                   "option -D names no property; write -Dname=value",
		"-D=v":                 "option -D=v names no property; write -Dname=value",
		"-Xmxlots":             `option -Xmxlots: "lots" is not a size; write for example 512m`,
		"-Xmx":                 `option -Xmx: "" is not a size; write for example 512m`,
		"-Xmx0":                `option -Xmx0: "0" is not a size; write for example 512m`,
		"-Xmx9999999999g":      `option -Xmx9999999999g: "9999999999g" is not a size; write for example 512m`,
	} {
		if _, _, err := Normalize(strings.Fields(args)); err == nil || err.Error() != want {
			t.Errorf("%s: error %v, want %s", args, err, want)
		}
	}
}

// TestOptionsDiffer makes sure that no option hides another.
func TestOptionsDiffer(t *testing.T) {
	seen := map[string]string{}
	for _, o := range Options {
		for _, name := range []string{o.Name, o.Short} {
			if name == "" {
				continue
			}
			if other, ok := seen[name]; ok {
				t.Errorf("-%s means %s and %s", name, other, o.Name)
			}
			seen[name] = o.Name
		}
	}
}

func TestJVMAdd(t *testing.T) {
	// What the command line said wins over what is added.
	j := JVM{System: map[string]string{"k": "line"}, MaxHeap: 5, Ignored: []string{"-Xms1m"}}
	if err := j.Add("-Dk=env  -Dother=x -Xmx1k -Xss1m strange"); err != nil {
		t.Fatal(err)
	}
	want := JVM{System: map[string]string{"k": "line", "other": "x"}, MaxHeap: 5, Ignored: []string{"-Xss1m", "strange", "-Xms1m"}}
	if diff := cmp.Diff(want, j); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}

	var empty JVM
	if err := empty.Add("-Xmx2m -Da=b"); err != nil {
		t.Fatal(err)
	}
	if empty.MaxHeap != 2<<20 || empty.System["a"] != "b" {
		t.Errorf("got %+v", empty)
	}
	if err := empty.Add(""); err != nil {
		t.Error(err)
	}
	if err := empty.Add("-Xmxlots"); err == nil {
		t.Error("a bad size is accepted")
	}
}

func FuzzNormalize(f *testing.F) {
	for _, s := range []string{"-n a1", "--conf-f=x y", "-Dk=v -Xmx1g", "-- -x", "-=", "--", "-", "--=", "---name x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Fields(line)
		rest, _, err := Normalize(args)
		if err != nil {
			return
		}
		// What was normalized is normal.
		again, _, err := Normalize(rest)
		if err != nil {
			t.Fatalf("%q became %q, which is refused: %v", args, rest, err)
		}
		if diff := cmp.Diff(rest, again); diff != "" {
			t.Errorf("%q: -once +twice:\n%s", args, diff)
		}
	})
}
