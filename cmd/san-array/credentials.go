package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"sigs.k8s.io/yaml"
)

// credentials are those of the API's administrator.
type credentials struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// credentials reads the file, or makes it with a password drawn at random.
func (o *options) credentials() (credentials, error) {
	c, err := readCredentials(o.credentialsFile)
	if !errors.Is(err, fs.ErrNotExist) {
		return c, err
	}
	c = credentials{Username: "admin", Password: rand.Text()}
	return c, writeCredentials(o.credentialsFile, c)
}

// readCredentials tells no contents in its errors.
func readCredentials(path string) (credentials, error) {
	var c credentials
	data, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("credentials: %w", err)
	}
	if yaml.UnmarshalStrict(data, &c) != nil {
		return c, fmt.Errorf("credentials: %s is not YAML of username and password", path)
	}
	if c.Username == "" || c.Password == "" {
		return c, fmt.Errorf("credentials: %s has no username or no password", path)
	}
	return c, nil
}

// writeCredentials makes the file whole or not at all, readable by its owner only.
func writeCredentials(path string, c credentials) error {
	data, err := yaml.Marshal(c)
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".credentials-*") // mode 0600
	if err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	defer os.Remove(f.Name()) // after the rename there is nothing of that name
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("credentials %s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	return nil
}
