// Package e2e runs real systems beside this project's binary and compares what they do. The tests carry
// the build tag e2e and are run by
//
//	go test -tags e2e ./e2e/...
//
// Most of them are differential: the same configuration file and the same input go through Apache Flume
// 1.11 and through ours, and both must do what the test says and the same as each other. Adding
//
//	-run '/^on$/^java(-java)?$'
//
// runs the Java half alone, which needs none of our code and so shows that an expectation is a fact.
// What has to be downloaded is kept by setup.sh in ~/.cache/flume-e2e or the folder named by
// FLUME_E2E_CACHE.
package e2e
