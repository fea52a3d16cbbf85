package harness

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Launch says how an agent is started.
type Launch struct {
	Name string   // agent name, given as -n; empty gives none
	Conf string   // text of the configuration file given as -f; empty gives none
	Args []string // further arguments of the flume-ng command line, -Dkey=value among them
	Env  []string // added to the environment, as key=value

	// Files are put into the configuration folder, by name.
	Files map[string]string
}

// prepare fills the configuration folder and returns the arguments that stand first.
func (l Launch) prepare(t testing.TB, conf string) []string {
	t.Helper()
	for name, text := range l.Files {
		WriteFile(t, filepath.Join(conf, name), text)
	}
	var args []string
	if l.Name != "" {
		args = append(args, "-n", l.Name)
	}
	return append(args, confFile(t, conf, l.Conf)...)
}

// System is one of the implementations that a test runs the same Launch on.
type System struct {
	Name  string // for subtests: "java" or "flume"
	Start func(t testing.TB, l Launch) *Process
}

// Systems returns Java Flume and ours.
func Systems() []System {
	return []System{{Name: "java", Start: StartJavaFlume}, {Name: "flume", Start: StartFlume}}
}

// SystemsWith returns the systems that have these types of component, and logs it when ours is not among
// them.
func SystemsWith(t testing.TB, types ...string) []System {
	t.Helper()
	for _, typ := range types {
		if RunFlume(t, "components", typ).Wait(t, startLimit) != 0 {
			t.Logf("this build of ours has no component of type %q: Java Flume runs alone", typ)
			return Systems()[:1]
		}
	}
	return Systems()
}

// javaOptions keep a virtual machine small and quick to start.
var javaOptions = []string{"-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto"}

// logging sends Java Flume's log to standard error, where the harness collects it, without the pages
// about every property at start and every counter at stop.
const logging = `<Configuration status="ERROR">
  <Appenders>
    <Console name="Console" target="SYSTEM_ERR">
      <PatternLayout pattern="%d{HH:mm:ss.SSS} %-5p %c{1} - %m%n"/>
    </Console>
  </Appenders>
  <Loggers>
    <Logger name="org.apache.flume.instrumentation" level="WARN"/>
    <Logger name="org.apache.flume.lifecycle" level="WARN"/>
    <Logger name="org.apache.flume.conf.FlumeConfiguration" level="WARN"/>
    <Root level="INFO"><AppenderRef ref="Console"/></Root>
  </Loggers>
</Configuration>
`

// StartJavaFlume starts an agent of Apache Flume 1.11. As the flume-ng script does, it puts the
// configuration folder first on the class path and hands -D and -X arguments to the virtual machine.
func StartJavaFlume(t testing.TB, l Launch) *Process {
	t.Helper()
	conf := t.TempDir()
	WriteFile(t, filepath.Join(conf, "log4j2.xml"), logging)
	var vm, program []string
	for _, arg := range l.Args {
		if strings.HasPrefix(arg, "-D") || strings.HasPrefix(arg, "-X") {
			vm = append(vm, arg)
		} else {
			program = append(program, arg)
		}
	}
	argv := l.prepare(t, conf)
	return startJava(t, "java flume "+l.Name, "flume", launch{
		classPath: []string{conf}, vm: vm, main: "org.apache.flume.node.Application",
		args: append(argv, program...), env: l.Env,
	})
}

// StartFlume starts an agent of this project's binary.
func StartFlume(t testing.TB, l Launch) *Process {
	t.Helper()
	conf := t.TempDir()
	argv := append([]string{"agent", "-c", conf}, l.prepare(t, conf)...)
	return start(t, command{
		name: "flume " + l.Name, dir: conf, env: l.Env, argv: slices.Concat([]string{Binary(t)}, argv, l.Args),
	})
}

// RunFlume starts this project's binary with the given arguments, for commands other than agent.
func RunFlume(t testing.TB, args ...string) *Process {
	t.Helper()
	return start(t, command{
		name: "flume " + strings.Join(args, " "), dir: t.TempDir(), argv: append([]string{Binary(t)}, args...),
	})
}

// RunFlumeNG is RunFlume under the name of Flume's launcher.
func RunFlumeNG(t testing.TB, args ...string) *Process {
	t.Helper()
	dir := t.TempDir()
	launcher := filepath.Join(dir, "flume-ng")
	if err := os.Symlink(Binary(t), launcher); err != nil {
		t.Fatal(err)
	}
	return start(t, command{name: "flume-ng " + strings.Join(args, " "), dir: dir, argv: append([]string{launcher}, args...)})
}

// RunJavaClient runs one of the programs in e2e/java to its end, with text as its standard input, and
// returns what it printed. A program that fails or takes long fails the test.
func RunJavaClient(t testing.TB, main, text string, args ...string) string {
	t.Helper()
	p := startJava(t, "java "+main, "flume", launch{main: main, args: args, stdin: text})
	if status := p.Wait(t, startLimit); status != 0 {
		t.Fatalf("%s ended with status %d:\n%s", main, status, tail(p.Output(), logTail))
	}
	return p.Output()
}

// Binary returns the path of our executable, building it on first use.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// confFile writes the text of a configuration and returns the arguments that name it.
func confFile(t testing.TB, dir, text string) []string {
	t.Helper()
	if text == "" {
		return nil
	}
	path := filepath.Join(dir, "flume.conf")
	WriteFile(t, path, text)
	return []string{"-f", path}
}

// launch is the command line of a virtual machine.
type launch struct {
	classPath []string // before the jars
	vm        []string
	main      string
	args      []string
	env       []string
	stdin     string
}

// startJava runs a main class with the jars of one cache folder and the compiled programs of e2e/java.
func startJava(t testing.TB, name, jars string, l launch) *Process {
	t.Helper()
	dir, err := cache()
	if err != nil {
		t.Fatal(err)
	}
	path := append(l.classPath, filepath.Join(dir, jars, "*"), filepath.Join(dir, "classes"))
	argv := append([]string{"java"}, javaOptions...)
	argv = append(argv, l.vm...)
	argv = append(argv, "-cp", strings.Join(path, string(os.PathListSeparator)), l.main)
	return start(t, command{
		name: name, dir: t.TempDir(), env: l.env, stdin: l.stdin, argv: append(argv, l.args...),
	})
}
