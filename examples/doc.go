// Package examples has configurations that show what an agent can do; README.md
// lists them.
//
// Its test, with the build tag examples, runs each of them and the example.conf
// of every component in a process of its own.
package examples
