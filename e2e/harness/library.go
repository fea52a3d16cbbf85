package harness

import (
	"path/filepath"
	"testing"
)

// JavaProgram is one of the programs in e2e/java together with the libraries that it runs on.
type JavaProgram struct {
	Main      string
	Libraries []string // folders of the cache, by the names of their profiles; the first that has a class wins
	VM        []string // options of the virtual machine, such as -Dlog4j.configuration=…
	Args      []string
}

// StartJavaProgram starts a program, which is stopped when the test ends.
func StartJavaProgram(t testing.TB, p JavaProgram) *Process {
	t.Helper()
	dir, err := cache()
	if err != nil {
		t.Fatal(err)
	}
	var before []string
	last := len(p.Libraries) - 1
	for _, name := range p.Libraries[:last] {
		before = append(before, filepath.Join(dir, name, "*"))
	}
	return startJava(t, "java "+p.Main, p.Libraries[last], launch{classPath: before, vm: p.VM, main: p.Main, args: p.Args})
}

// RunJavaProgram runs a program to its end and returns what it printed. One that fails or takes long fails the
// test.
func RunJavaProgram(t testing.TB, p JavaProgram) string {
	t.Helper()
	process := StartJavaProgram(t, p)
	if status := process.Wait(t, startLimit); status != 0 {
		t.Fatalf("%s ended with status %d:\n%s", p.Main, status, tail(process.Output(), logTail))
	}
	return process.Output()
}
