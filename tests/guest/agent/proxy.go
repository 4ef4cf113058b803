package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"

	"github.com/san-csi/san-csi/tests/guest/agentapi"
)

// startProxy lets clients outside of the guest reach unix sockets inside.
func startProxy() error {
	listener, err := net.Listen("tcp4", fmt.Sprintf(":%d", agentapi.ProxyPort))
	if err != nil {
		return err
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				logf("proxy: %v", err)
				return
			}
			go proxy(conn.(*net.TCPConn))
		}
	}()
	return nil
}

func proxy(outside *net.TCPConn) {
	defer outside.Close()
	buffered := bufio.NewReader(outside)
	path, err := buffered.ReadString('\n')
	if err != nil {
		return
	}
	conn, err := net.Dial("unix", strings.TrimSuffix(path, "\n"))
	if err != nil {
		fmt.Fprintf(outside, "%v\n", err)
		return
	}
	inside := conn.(*net.UnixConn)
	defer inside.Close()
	if _, err := fmt.Fprintf(outside, "%s\n", agentapi.ProxyOK); err != nil {
		return
	}
	// Half-closes travel on, so that either side may end first.
	var both sync.WaitGroup
	both.Go(func() { io.Copy(inside, buffered); inside.CloseWrite() })
	both.Go(func() { io.Copy(outside, inside); outside.CloseWrite() })
	both.Wait()
}
