// Package secrets looks for secrets where they must not be: in what test runs
// leave of logs, traces, errors and contexts.
package secrets

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
)

// shortest is the least length of a secret, bytes: what is shorter is found by
// chance.
const shortest = 8

// Scanner knows secrets by name, in every form in which they may show.
type Scanner struct {
	forms []form
}

type form struct {
	of, how string
	text    []byte
}

// New is a scanner for those secrets, by their names. Findings are told by the
// name: a report must not hold what it is about.
func New(secrets map[string]string) (*Scanner, error) {
	s := &Scanner{}
	for name, secret := range secrets {
		if len(secret) < shortest {
			return nil, fmt.Errorf("secret %s: %d bytes, at least %d are needed to know it again", name, len(secret), shortest)
		}
		s.add(name, "as it is", []byte(secret))
		quoted, err := json.Marshal(secret)
		if err != nil {
			return nil, fmt.Errorf("secret %s: %w", name, err)
		}
		s.add(name, "as JSON", bytes.Trim(quoted, `"`))
		s.add(name, "URL-escaped", []byte(url.QueryEscape(secret)))
		s.add(name, "in hex", []byte(hex.EncodeToString([]byte(secret))))
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			for offset := range 3 {
				s.add(name, "in base64", encoded(encoding, secret, offset))
			}
		}
	}
	return s, nil
}

// encoded is what base64 makes of a secret wherever it is at that offset, modulo
// three, of a longer text: without the digits that its neighbours have a part in.
func encoded(e *base64.Encoding, secret string, offset int) []byte {
	padded := append(make([]byte, offset), secret...)
	digits := []byte(e.EncodeToString(padded))
	begin := []int{0, 2, 3}[offset]
	end := len(padded) / 3 * 4
	return digits[begin:end]
}

func (s *Scanner) add(name, how string, text []byte) {
	if !slices.ContainsFunc(s.forms, func(f form) bool { return bytes.Equal(f.text, text) }) {
		s.forms = append(s.forms, form{name, how, text})
	}
}

// Reader looks through a text of that title: one error for each line that holds
// a secret.
func (s *Scanner) Reader(title string, r io.Reader) error {
	var found []error
	lines := bufio.NewReader(r)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		for _, f := range s.forms {
			if bytes.Contains(line, f.text) {
				found = append(found, fmt.Errorf("%s:%d: holds the %s %s", title, n, f.of, f.how))
				break
			}
		}
		if errors.Is(err, io.EOF) {
			return errors.Join(found...)
		}
		if err != nil {
			return errors.Join(append(found, err)...)
		}
	}
}

// Files looks through files, and through all files below directories. There
// must be something to look at.
func (s *Scanner) Files(paths ...string) error {
	var found []error
	looked := 0
	for _, path := range paths {
		err := filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			looked++
			found = append(found, s.file(file))
			return nil
		})
		found = append(found, err)
	}
	if looked == 0 {
		found = append(found, fmt.Errorf("no file at %q to look for secrets in", paths))
	}
	return errors.Join(found...)
}

func (s *Scanner) file(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return s.Reader(path, f)
}
