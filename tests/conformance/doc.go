// Package conformance runs libiscsi's iscsi-test-cu against san-array: what an
// initiator that nobody here wrote finds wrong with its targets. The suite's
// exit code and its XML count what was skipped as passed, so that the text of
// its verbose mode is read instead.
package conformance
