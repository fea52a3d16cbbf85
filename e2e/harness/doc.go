// Package harness runs real systems beside this project's binary for the e2e tests: Apache Flume and
// ZooKeeper on a Java virtual machine, and our own agent, each as a process of its own on loopback ports.
//
// What has to be downloaded is kept in the cache of e2e/setup.sh, which the package runs once per test
// binary. Every process is stopped by its own id when its test ends, and its output is printed if the
// test failed; together with its own children it ends with the test binary at the latest, also when that
// is killed. Every wait is bounded.
package harness
