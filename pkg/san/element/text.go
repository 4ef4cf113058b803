package element

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/san-csi/san-csi/pkg/san"
)

// quote is a JSON string; marshalling one cannot fail.
func quote(s string) json.RawMessage {
	if isPlain(s) {
		return append(append(append(make(json.RawMessage, 0, len(s)+2), '"'), s...), '"')
	}
	raw, _ := json.Marshal(s)
	return raw
}

// unquote is the text of a JSON string.
func unquote(raw json.RawMessage) (text string, err error) {
	if n := len(raw); n >= 2 && raw[0] == '"' && raw[n-1] == '"' {
		if text = string(raw[1 : n-1]); isPlain(text) {
			return text, nil
		}
	}
	err = json.Unmarshal(raw, &text)
	return text, err
}

// quotedLength is how long a JSON string is.
func quotedLength(s string) int {
	if isPlain(s) {
		return len(s) + len(`""`)
	}
	return len(quote(s))
}

// isPlain tells that JSON has a text as it is, as it has nearly all of ours.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}

// Marks of packed texts.
const (
	asIs     = "="
	inBase64 = "~"
)

// packText is a text in the least space that JSON allows: as it is, or in
// base64 where JSON would need escapes or would change it.
func packText(s string) string {
	if quotedLength(s) == len(s)+len(`""`) {
		return asIs + s
	}
	return inBase64 + base64.RawURLEncoding.EncodeToString([]byte(s))
}

func unpackText(packed string) (string, error) {
	if text, ok := strings.CutPrefix(packed, asIs); ok {
		return text, nil
	}
	encoded, ok := strings.CutPrefix(packed, inBase64)
	if !ok {
		return "", fmt.Errorf("%.20q begins with neither %q nor %q", packed, asIs, inBase64)
	}
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	return string(text), err
}

// String is the holder as attributes keep it.
func (h holder) String() string {
	text := fmt.Sprintf("%s=%d", h.node, h.epoch)
	if h.mode.Shared {
		text += "s"
	}
	if h.mode.ReadOnly {
		text += "r"
	}
	return text
}

func readHolder(text string) (holder, error) {
	id, rest, _ := strings.Cut(text, "=")
	node, err := san.ParseNode(id)
	if err != nil {
		return holder{}, err
	}
	h := holder{node: node}
	rest, h.mode.ReadOnly = strings.CutSuffix(rest, "r")
	rest, h.mode.Shared = strings.CutSuffix(rest, "s")
	h.epoch, err = strconv.ParseInt(rest, 10, 64)
	return h, err
}
