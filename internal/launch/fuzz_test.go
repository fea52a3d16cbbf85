package launch

import (
	"strconv"
	"strings"
	"testing"
)

// FuzzParseSize: a size is positive and, written in bytes, itself.
func FuzzParseSize(f *testing.F) {
	for _, s := range []string{"512m", "1G", "8388607t", "8388608t", "1", "0", "-1k", "k", "", "+1", "1_000", "0x1m"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := parseSize(s)
		if err != nil {
			if !strings.Contains(err.Error(), strconv.Quote(s)) {
				t.Errorf("the error %q does not name %q", err, s)
			}
			return
		}
		if again, err := parseSize(strconv.FormatInt(n, 10)); err != nil || n <= 0 || again != n {
			t.Errorf("%q is %d, and that is %d (%v)", s, n, again, err)
		}
	})
}

// FuzzJVMAdd: every option of the string is taken or remembered as ignored.
func FuzzJVMAdd(f *testing.F) {
	f.Add("-Xmx512m -Da=b -XX:+UseG1GC")
	f.Add("-D -Da -D=b")
	f.Add("-Xmx")
	f.Fuzz(func(t *testing.T, opts string) {
		var j JVM
		if err := j.Add(opts); err != nil {
			return
		}
		properties := map[string]bool{}
		sizes := 0
		for _, a := range strings.Fields(opts) {
			if rest, ok := strings.CutPrefix(a, "-D"); ok {
				key, _, _ := strings.Cut(rest, "=")
				properties[key] = true
			} else if strings.HasPrefix(a, "-Xmx") {
				sizes++
			}
		}
		if len(j.System) != len(properties) || (sizes > 0) != (j.MaxHeap > 0) {
			t.Errorf("%q gives %+v", opts, j)
		}
	})
}

// FuzzParseOpts: what an options file gives, the command line takes.
func FuzzParseOpts(f *testing.F) {
	f.Add([]byte("name = a1\nconf-file = /etc/flume.conf\nno-reload-conf\n"))
	f.Add([]byte("f = a\nconf-file = b\nlenient = false\n"))
	f.Add([]byte("user = \\u00e9\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		args, err := parseOpts("flume.opts", data)
		if err != nil {
			return
		}
		again, jvm, err := Normalize(args)
		if err != nil || len(again) != len(args) || len(jvm.System)+len(jvm.Ignored) > 0 {
			t.Fatalf("%q gives %q, which is taken as %q and %+v (%v)", data, args, again, jvm, err)
		}
		for i := range args {
			if args[i] != again[i] {
				t.Errorf("%q is taken as %q", args[i], again[i])
			}
		}
	})
}
