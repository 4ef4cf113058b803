package api_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/san-csi/san-csi/pkg/softarray/api"
)

func injecting(c *api.Config) { c.FaultInjection = true }

func TestInjectionIsOffByDefault(t *testing.T) {
	newRig(t).play([]step{
		{method: "SanArrayInjectFault", params: `{"method":"GetAPI","errorName":"xDBVersionMismatch"}`, fails: "xUnknownAPIMethod"},
		{method: "SanArrayListInjectedFaults", fails: "xUnknownAPIMethod"},
	})
}

func TestInjectedErrors(t *testing.T) {
	r := newRig(t, injecting)
	add := step{method: "AddAccount", params: `{"username":"a"}`}
	r.play([]step{
		// The first call passes, the next two fail, and then it is over.
		{method: "SanArrayInjectFault", params: `{"method":"GetClusterState","afterCalls":1,"count":2,"errorName":"xDBConnectionLoss","errorMessage":"lost"}`,
			want: map[string]string{"injectionID": "1", "when": `"before"`, "struck": "0"}},
		{method: "GetClusterState"},
		{method: "GetClusterState", fails: "xDBConnectionLoss", message: "lost"},
		{method: "GetClusterInfo"},
		{method: "GetClusterState", fails: "xDBConnectionLoss"},
		{method: "GetClusterState"},
		{method: "SanArrayListInjectedFaults", want: map[string]string{
			"injections.#": "1", "injections.0.passed": "1", "injections.0.struck": "2", "injections.0.cutConnection": "false"}},
		// Before the effect there is none; after it the client is told otherwise.
		{method: "SanArrayInjectFault", params: `{"method":"AddAccount","errorName":"xRecvTimeout"}`},
		{method: "AddAccount", params: add.params, fails: "xRecvTimeout", message: "xRecvTimeout"},
		{method: "ListAccounts", want: map[string]string{"accounts": "[]"}},
		{method: "SanArrayInjectFault", params: `{"method":"AddAccount","errorName":"xRecvTimeout","when":"after"}`},
		{method: "AddAccount", params: add.params, fails: "xRecvTimeout"},
		{method: "AddAccount", params: add.params, fails: "xDuplicateUsername"},
		// Every method, until it is removed; the methods of injection stay.
		{method: "SanArrayInjectFault", params: `{"method":"*","count":-1,"errorName":"xNotPrimary"}`, want: map[string]string{"injectionID": "4"}},
		{method: "GetAPI", fails: "xNotPrimary"},
		{method: "GetAPI", fails: "xNotPrimary"},
		{method: "SanArrayRemoveInjectedFault", params: `{"injectionID":9}`, fails: "xInvalidParameter"},
		{method: "SanArrayRemoveInjectedFault", params: `{"injectionID":4}`},
		{method: "GetAPI"},
		{method: "SanArrayRemoveInjectedFault"},
		{method: "SanArrayListInjectedFaults", want: map[string]string{"injections": "[]"}},
	})
}

func TestInjectedCutOfTheConnection(t *testing.T) {
	for when, accounts := range map[string]string{"before": "0", "after": "1"} {
		r := newRig(t, injecting)
		r.ok("SanArrayInjectFault", `{"method":"AddAccount","cutConnection":true,"when":"`+when+`"}`)
		if resp, err := r.send("/json-rpc/12.5", `{"method":"AddAccount","params":{"username":"a"},"id":1}`); err == nil {
			t.Errorf("%s: answered HTTP %d", when, resp.StatusCode)
		}
		r.play([]step{{method: "ListAccounts", want: map[string]string{"accounts.#": accounts}}})
	}
}

func TestInjectedLatency(t *testing.T) {
	r := newRig(t, injecting)
	r.ok("SanArrayInjectFault", `{"method":"GetClusterState","delayMS":1500}`)
	done := make(chan error)
	go func() {
		_, err := r.send("/json-rpc/12.5", `{"method":"GetClusterState"}`)
		done <- err
	}()
	for !r.clock.HasWaiters() {
		select {
		case err := <-done:
			t.Fatalf("the call did not wait: %v", err)
		default:
			runtime.Gosched()
		}
	}
	r.clock.Step(1499 * time.Millisecond)
	if !r.clock.HasWaiters() {
		t.Error("the call waited less than 1.5 s")
	}
	r.clock.Step(time.Millisecond)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestInjectionsThatAreRefused(t *testing.T) {
	r := newRig(t, injecting)
	for _, c := range []struct{ params, fails string }{
		{`{}`, "xMissingParameter"},
		{`{"method":"GetAPI"}`, "xInvalidParameter"},
		{`{"method":"MakeCoffee","delayMS":1}`, "xInvalidParameter"},
		{`{"method":"SanArrayInjectFault","delayMS":1}`, "xInvalidParameter"},
		{`{"method":"GetAPI","cutConnection":true,"errorName":"xNotPrimary"}`, "xInvalidParameter"},
		{`{"method":"SanArrayCloneJob","cutConnection":true}`, "xInvalidParameter"},
		{`{"method":"GetAPI","delayMS":600001}`, "xExceededLimit"},
		{`{"method":"GetAPI","delayMS":1,"count":-2}`, "xExceededLimit"},
		{`{"method":"GetAPI","delayMS":1,"when":"sometimes"}`, "xUnrecognizedEnumString"},
	} {
		r.fails(c.fails, "SanArrayInjectFault", c.params)
	}
	r.play([]step{{method: "SanArrayListInjectedFaults", want: map[string]string{"injections": "[]"}}})
}
