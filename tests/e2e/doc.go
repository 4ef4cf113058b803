// Package e2e runs Kubernetes' external storage tests (the e2e.test of its
// release, with -storage.testdriver) against the driver on a real cluster
// (package cluster), and keeps what came of each spec: a run goes on where the
// former one stopped, until every spec that the driver's capabilities select
// has passed. What is skipped has to be explained by a capability that the
// driver does not have.
//
// The specs are run by the program in run; this package lists them, plans, runs,
// reads the reports, keeps results and writes them down as docs/e2e.md.
package e2e
