package guest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/san-csi/san-csi/tests/guest/agentapi"
)

func mkfifo(t *testing.T, path string) {
	t.Helper()
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
}

// agentEnd is the guest's end of an agent's connection.
type agentEnd struct {
	t     *testing.T
	conn  net.Conn
	lines *bufio.Reader
}

func connect(t *testing.T) (*agentClient, agentEnd) {
	t.Helper()
	ours, theirs := net.Pipe()
	t.Cleanup(func() { theirs.Close() })
	return newAgentClient(ours), agentEnd{t: t, conn: theirs, lines: bufio.NewReader(theirs)}
}

func (a agentEnd) receive() (req agentapi.Request) {
	line, err := a.lines.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &req)
	}
	if err != nil {
		a.t.Errorf("agent's end: %v", err)
	}
	return req
}

func (a agentEnd) send(resp agentapi.Response) {
	if err := json.NewEncoder(a.conn).Encode(resp); err != nil {
		a.t.Errorf("agent's end: %v", err)
	}
}

func TestAgentHello(t *testing.T) {
	client, agent := connect(t)
	go agent.send(agentapi.Response{})
	if err := client.waitReady(t.Context()); err != nil {
		t.Error(err)
	}
	dead, end := connect(t)
	end.conn.Close()
	if err := dead.waitReady(t.Context()); err == nil {
		t.Error("no error from an agent that died")
	}
}

// The agent of a guest that was reset begins anew: what its predecessor was asked
// is over, and the wait for it ends with its own hello.
func TestAgentHelloAfterAReset(t *testing.T) {
	client, agent := connect(t)
	go agent.send(agentapi.Response{})
	if err := client.waitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	client.expectHello()
	go func() {
		agent.receive()
		agent.send(agentapi.Response{})
	}()
	if _, err := client.call(t.Context(), agentapi.Request{Op: agentapi.OpExec}); err == nil || err.Error() != restarted {
		t.Errorf("got %v, want %q", err, restarted)
	}
	if err := client.waitReady(t.Context()); err != nil {
		t.Error(err)
	}
}

// Answers that come in another order reach the calls they belong to.
func TestAgentOverlappingCalls(t *testing.T) {
	client, agent := connect(t)
	const calls = 8
	go func() {
		var reqs []agentapi.Request
		for range calls {
			reqs = append(reqs, agent.receive())
		}
		for i := range reqs {
			req := reqs[len(reqs)-1-i]
			agent.send(agentapi.Response{ID: req.ID, Stdout: []byte(req.Path)})
		}
	}()
	var all sync.WaitGroup
	for i := range calls {
		all.Go(func() {
			path := fmt.Sprint("/", i)
			resp, err := client.call(t.Context(), agentapi.Request{Op: agentapi.OpGet, Path: path})
			if err != nil || string(resp.Stdout) != path {
				t.Errorf("got %q, %v, want %s", resp.Stdout, err, path)
			}
		})
	}
	all.Wait()
}

func TestAgentCallEndsWithItsContext(t *testing.T) {
	client, agent := connect(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancelled := make(chan agentapi.Request, 1)
	var id int64
	go func() {
		id = agent.receive().ID
		cancel()
		cancelled <- agent.receive()
	}()
	_, err := client.call(ctx, agentapi.Request{Op: agentapi.OpExec})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got := <-cancelled; got.Op != agentapi.OpCancel || got.Target != id {
		t.Errorf("the agent got %+v, want a cancel of %d", got, id)
	}
}

func TestAgentErrors(t *testing.T) {
	client, agent := connect(t)
	go func() {
		agent.send(agentapi.Response{ID: agent.receive().ID, Error: "no such file"})
		agent.receive()
		agent.conn.Close()
	}()
	if _, err := client.call(t.Context(), agentapi.Request{Op: agentapi.OpGet}); err == nil || err.Error() != "no such file" {
		t.Errorf("got %v", err)
	}
	if _, err := client.call(t.Context(), agentapi.Request{Op: agentapi.OpExec}); err == nil || !strings.Contains(err.Error(), "gone") {
		t.Errorf("a call that the agent died under: %v", err)
	}
}
