package main

import (
	"bytes"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/san-csi/san-csi/tests/guest/agentapi"
)

func TestFilesInChunks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "file")
	content := bytes.Repeat([]byte("x"), agentapi.ChunkSize+5)
	for i, part := range [][]byte{content[:agentapi.ChunkSize], content[agentapi.ChunkSize:]} {
		if err := putFile(agentapi.Request{Path: path, Data: part, Mode: 0o640, Append: i > 0}); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 || info.Size() != int64(len(content)) {
		t.Fatalf("got %v, %v", info, err)
	}
	first, err := getFile(agentapi.Request{Path: path})
	if err != nil || len(first.Data) != agentapi.ChunkSize || first.EOF {
		t.Errorf("first chunk: %d bytes, EOF %v, %v", len(first.Data), first.EOF, err)
	}
	last, err := getFile(agentapi.Request{Path: path, Offset: agentapi.ChunkSize})
	if err != nil || string(last.Data) != "xxxxx" || !last.EOF {
		t.Errorf("last chunk: %q, EOF %v, %v", last.Data, last.EOF, err)
	}
	if _, err := getFile(agentapi.Request{Path: path + "-absent"}); err == nil {
		t.Error("no error for an absent file")
	}
}

func TestServe(t *testing.T) {
	harness, port := net.Pipe()
	s := newServer(reapingTable(t))
	ended := make(chan error, 1)
	go func() { ended <- s.serve(port) }()

	answers := json.NewDecoder(harness)
	var hello agentapi.Response
	if err := answers.Decode(&hello); err != nil || hello.ID != 0 {
		t.Fatalf("hello: %+v, %v", hello, err)
	}
	for _, test := range []struct {
		req  agentapi.Request
		want agentapi.Response
	}{
		{agentapi.Request{ID: 1, Op: agentapi.OpExec, Argv: shell("echo out; echo err >&2; exit 3")},
			agentapi.Response{ID: 1, Code: 3, Stdout: []byte("out\n"), Stderr: []byte("err\n")}},
		{agentapi.Request{ID: 2, Op: "dance"}, agentapi.Response{ID: 2, Error: `unknown operation "dance"`}},
		{agentapi.Request{ID: 3, Op: agentapi.OpCancel, Target: 99}, agentapi.Response{ID: 3}},
	} {
		if err := json.NewEncoder(harness).Encode(test.req); err != nil {
			t.Fatal(err)
		}
		var got agentapi.Response
		if err := answers.Decode(&got); err != nil {
			t.Fatal(err)
		}
		got.PID = 0
		a, _ := json.Marshal(got)
		b, _ := json.Marshal(test.want)
		if !bytes.Equal(a, b) {
			t.Errorf("got %s, want %s", a, b)
		}
	}
	harness.Close()
	if err := <-ended; err == nil {
		t.Error("serve returned no reason")
	}
}
