package secrets

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const secret = `correct "horse" <battery>/+`

func TestScanner(t *testing.T) {
	s, err := New(map[string]string{"password": secret})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text string
		want string // "" = nothing is found
	}{
		"nothing":                 {"I1124 serving CSI\nmore\n", ""},
		"a part of it":            {"correct horse", ""},
		"as it is":                {"one\ntwo " + secret + "\n", ":2: holds the password as it is"},
		"last line, no newline":   {"one\n" + secret, ":2: holds"},
		"as JSON":                 {`{"password":"correct \"horse\" \u003cbattery\u003e/+"}`, "as JSON"},
		"in a URL":                {"https://x/?p=correct+%22horse%22+%3Cbattery%3E%2F%2B", "URL-escaped"},
		"in hex":                  {"636f72726563742022686f72736522203c626174746572793e2f2b", "in hex"},
		"in base64":               {base64.StdEncoding.EncodeToString([]byte(secret)), "in base64"},
		"in base64url":            {base64.URLEncoding.EncodeToString([]byte("?>" + secret)), "in base64"},
		"as HTTP Basic":           {"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("admin:"+secret)), "in base64"},
		"as HTTP Basic of a user": {base64.StdEncoding.EncodeToString([]byte("root:" + secret)), "in base64"},
		"base64 amid a text":      {base64.StdEncoding.EncodeToString([]byte("abcdefg" + secret + "hij")), "in base64"},
	} {
		t.Run(name, func(t *testing.T) {
			err := s.Reader("log", strings.NewReader(c.text))
			switch {
			case c.want == "" && err != nil, c.want != "" && err == nil:
				t.Errorf("found %v; want %q", err, c.want)
			case err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), secret)):
				t.Errorf("told %q; want the place and %q, and not the secret", err, c.want)
			}
		})
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	s, err := New(map[string]string{"password": secret})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Files(dir); err == nil {
		t.Error("an empty directory passes for one without secrets")
	}
	for name, text := range map[string]string{"clean.log": "well\n", "deep.log": "x\ny\n" + secret} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Files(filepath.Join(dir, "clean.log")); err != nil {
		t.Error(err)
	}
	if err := s.Files(dir); err == nil || !strings.Contains(err.Error(), "deep.log:3") {
		t.Errorf("found %v; want line 3 of deep.log", err)
	}
	if err := s.Files(filepath.Join(dir, "none")); err == nil {
		t.Error("a file that is not there passes")
	}
}

func TestNewRefusesShortSecrets(t *testing.T) {
	if _, err := New(map[string]string{"password": "short"}); err == nil || strings.Contains(err.Error(), "short") {
		t.Errorf("got %v; want a refusal that does not tell it", err)
	}
}
