// Command echo listens on the unix socket its argument names, answers each
// connection with what it sent until the sender's end of file, then with "end".
package main

import (
	"io"
	"log"
	"net"
	"os"
)

func main() {
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			defer conn.Close()
			io.Copy(conn, conn)
			io.WriteString(conn, "end")
		}()
	}
}
