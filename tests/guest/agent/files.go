package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/san-csi/san-csi/tests/guest/agentapi"
)

func putFile(req agentapi.Request) error {
	if err := os.MkdirAll(filepath.Dir(req.Path), 0o755); err != nil {
		return err
	}
	flags := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	if req.Append {
		flags = os.O_WRONLY | os.O_APPEND
	}
	f, err := os.OpenFile(req.Path, flags, os.FileMode(req.Mode).Perm())
	if err != nil {
		return err
	}
	_, err = f.Write(req.Data)
	return errors.Join(err, f.Close())
}

// getFile reads by position until the chunk is full, so that files of /proc
// and /sys, whose size is told as 0, come whole too.
func getFile(req agentapi.Request) (agentapi.Response, error) {
	f, err := os.Open(req.Path)
	if err != nil {
		return agentapi.Response{}, err
	}
	defer f.Close()
	if _, err := f.Seek(req.Offset, io.SeekStart); err != nil {
		return agentapi.Response{}, err
	}
	data, err := io.ReadAll(io.LimitReader(f, agentapi.ChunkSize))
	return agentapi.Response{Data: data, EOF: len(data) < agentapi.ChunkSize}, err
}
