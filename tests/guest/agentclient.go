package guest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/san-csi/san-csi/tests/guest/agentapi"
)

// cancelWait bounds the sending of a cancellation to an agent that may be hung.
const cancelWait = time.Second

// agentClient speaks package agentapi's protocol. Calls may overlap.
type agentClient struct {
	conn net.Conn
	gone chan struct{} // closed when the connection has ended

	write sync.Mutex // one request at a time

	mu      sync.Mutex
	ready   chan struct{} // closed at the agent's hello
	lastID  int64
	pending map[int64]chan agentapi.Response
	err     error // why the connection ended; set before gone is closed
}

func newAgentClient(conn net.Conn) *agentClient {
	c := &agentClient{
		conn: conn, ready: make(chan struct{}), gone: make(chan struct{}),
		pending: map[int64]chan agentapi.Response{},
	}
	go c.receive()
	return c
}

func (c *agentClient) receive() {
	err := c.dispatch()
	c.mu.Lock()
	c.err = err
	c.mu.Unlock()
	close(c.gone)
	c.conn.Close()
}

func (c *agentClient) dispatch() error {
	for decoder := json.NewDecoder(bufio.NewReaderSize(c.conn, 64<<10)); ; {
		var resp agentapi.Response
		if err := decoder.Decode(&resp); err != nil {
			return err
		}
		if resp.ID == 0 {
			c.hello()
			continue
		}
		c.mu.Lock()
		waiter := c.pending[resp.ID]
		delete(c.pending, resp.ID)
		c.mu.Unlock()
		if waiter != nil {
			waiter <- resp
		}
	}
}

// hello is an agent that begins: it knows nothing of what a former one was asked.
func (c *agentClient) hello() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, waiter := range c.pending {
		waiter <- agentapi.Response{ID: id, Error: restarted}
		delete(c.pending, id)
	}
	select {
	case <-c.ready:
	default:
		close(c.ready)
	}
}

// restarted is what calls get that were under way when the guest was reset.
const restarted = "the guest was reset"

// expectHello makes waitReady wait for another hello.
func (c *agentClient) expectHello() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ready = make(chan struct{})
}

// waitReady waits until the guest has booted.
func (c *agentClient) waitReady(ctx context.Context) error {
	c.mu.Lock()
	ready := c.ready
	c.mu.Unlock()
	select {
	case <-ready:
		return nil
	case <-c.gone:
		return c.goneError()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *agentClient) goneError() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Errorf("connection to the agent is gone: %w", c.err)
}

// call carries out one request. If ctx ends first, what an exec runs is killed.
func (c *agentClient) call(ctx context.Context, req agentapi.Request) (agentapi.Response, error) {
	if err := ctx.Err(); err != nil {
		return agentapi.Response{}, err
	}
	waiter := make(chan agentapi.Response, 1)
	c.mu.Lock()
	c.lastID++
	req.ID = c.lastID
	c.pending[req.ID] = waiter
	c.mu.Unlock()
	defer c.forget(req.ID)

	deadline, _ := ctx.Deadline() // none is the zero time, which is no deadline
	if err := c.send(req, deadline); err != nil {
		return agentapi.Response{}, err
	}
	select {
	case resp := <-waiter:
		if resp.Error != "" {
			return resp, errors.New(resp.Error)
		}
		return resp, nil
	case <-c.gone:
		return agentapi.Response{}, c.goneError()
	case <-ctx.Done():
		err := c.send(agentapi.Request{Op: agentapi.OpCancel, Target: req.ID}, time.Now().Add(cancelWait))
		return agentapi.Response{}, errors.Join(ctx.Err(), err)
	}
}

func (c *agentClient) forget(id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pending, id)
}

func (c *agentClient) send(req agentapi.Request, deadline time.Time) error {
	line, err := json.Marshal(req)
	if err != nil {
		return err
	}
	c.write.Lock()
	defer c.write.Unlock()
	if err := c.conn.SetWriteDeadline(deadline); err != nil {
		return err
	}
	n, err := c.conn.Write(append(line, '\n'))
	if err == nil {
		return nil
	}
	if n > 0 {
		// Half a request is out: what followed would not be understood.
		c.conn.Close()
	}
	return fmt.Errorf("send %s to the agent: %w", req.Op, err)
}
