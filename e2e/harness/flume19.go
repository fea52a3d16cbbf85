package harness

import "testing"

// StartJavaFlume19 starts an agent of Apache Flume 1.9, for what it does otherwise on the wire. It takes no
// -D and -X arguments.
func StartJavaFlume19(t testing.TB, l Launch) *Process {
	t.Helper()
	conf := t.TempDir()
	argv := l.prepare(t, conf)
	return startJava(t, "java flume 1.9 "+l.Name, "flume19", launch{
		main: "org.apache.flume.node.Application", args: append(argv, l.Args...), env: l.Env,
	})
}

// RunJavaClient19 is RunJavaClient with the libraries of Apache Flume 1.9.
func RunJavaClient19(t testing.TB, main, text string, args ...string) string {
	t.Helper()
	p := startJava(t, "java "+main+" with 1.9", "flume19", launch{main: main, args: args, stdin: text})
	if status := p.Wait(t, startLimit); status != 0 {
		t.Fatalf("%s with 1.9 ended with status %d:\n%s", main, status, tail(p.Output(), logTail))
	}
	return p.Output()
}
