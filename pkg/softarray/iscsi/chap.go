package iscsi

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"
)

var errAuth = errors.New("authentication failed")

const (
	challengeLen = 16
	// maxChallenge is the longest binary value of the key (RFC 7143 §12.1.3).
	maxChallenge = 1024
)

// chapHash is a CHAP algorithm by its number (RFC 7143 §12.1.3).
type chapHash struct {
	name string
	make func() hash.Hash
}

func chapAlgorithm(number string) (chapHash, bool) {
	switch number {
	case "5":
		return chapHash{"MD5", md5.New}, true
	case "6":
		return chapHash{"SHA1", sha1.New}, true
	case "7":
		return chapHash{"SHA-256", sha256.New}, true
	case "8":
		return chapHash{"SHA3-256", func() hash.Hash { return sha3.New256() }}, true
	}
	return chapHash{}, false
}

// chap is one CHAP exchange, from the target's side.
type chap struct {
	// secrets finds what a user name must prove.
	secrets func(user string) (*CHAP, bool)
	guard   *guard
	host    string // of the initiator

	algorithm chapHash
	id        byte
	challenge []byte
	user      string
	mutual    bool
	done      bool
}

// offer answers CHAP_A with the first algorithm that is known, an identifier
// and a challenge.
func (c *chap) offer(list string) ([]pair, error) {
	if c.challenge != nil {
		return nil, fmt.Errorf("%w: CHAP_A twice", errAuth)
	}
	for number := range strings.SplitSeq(list, ",") {
		algorithm, ok := chapAlgorithm(number)
		if !ok {
			continue
		}
		c.algorithm = algorithm
		random := make([]byte, 1+challengeLen)
		rand.Read(random) // never fails
		c.id, c.challenge = random[0], random[1:]
		c.guard.issue(c.challenge)
		return []pair{
			{"CHAP_A", number},
			{"CHAP_I", strconv.Itoa(int(c.id))},
			{"CHAP_C", "0x" + hex.EncodeToString(c.challenge)},
		}, nil
	}
	return nil, fmt.Errorf("%w: no CHAP algorithm in common", errAuth)
}

// end forgets the challenge.
func (c *chap) end() {
	if c != nil {
		c.guard.forget(c.challenge)
	}
}

// verify checks the initiator's answer and, for mutual CHAP, gives ours. The
// error does not tell an unknown user from a wrong secret, nor either from one
// that has failed too often.
func (c *chap) verify(pairs []pair) ([]pair, error) {
	if c.challenge == nil || c.done {
		return nil, fmt.Errorf("%w: CHAP_R out of order", errAuth)
	}
	user, _ := valueOf(pairs, "CHAP_N")
	text, _ := valueOf(pairs, "CHAP_R")
	response, err := parseBinary(text, c.algorithm.make().Size())
	if err != nil {
		return nil, fmt.Errorf("%w: CHAP_R: %w", errAuth, err)
	}
	secrets, known := c.secrets(user)
	known = known && secrets.Initiator != ""
	if !known {
		secrets = &CHAP{}
	}
	who := suspect{user: user, host: c.host}
	want := c.respond(c.id, secrets.Initiator, c.challenge)
	right := subtle.ConstantTimeCompare(want, response) == 1
	if known && !right {
		c.guard.failed(who)
	}
	if !known || !right || c.guard.exhausted(who) {
		return nil, fmt.Errorf("%w: user %q", errAuth, user)
	}
	c.guard.proved(who)
	c.user, c.done = user, true
	return c.prove(pairs, secrets)
}

// prove answers the initiator's own challenge, if it sent one.
func (c *chap) prove(pairs []pair, secrets *CHAP) ([]pair, error) {
	idText, hasID := valueOf(pairs, "CHAP_I")
	text, hasChallenge := valueOf(pairs, "CHAP_C")
	if !hasID && !hasChallenge {
		return nil, nil
	}
	id, err := parseNumber(idText)
	if err != nil || id > 255 {
		return nil, fmt.Errorf("%w: CHAP_I is no number up to 255", errAuth)
	}
	challenge, err := parseBinary(text, maxChallenge)
	if err != nil || len(challenge) == 0 {
		return nil, fmt.Errorf("%w: CHAP_C is no challenge", errAuth)
	}
	if c.guard.issued(challenge) {
		return nil, fmt.Errorf("%w: our own challenge came back", errAuth)
	}
	if secrets.Target == "" || secrets.Target == secrets.Initiator {
		return nil, fmt.Errorf("%w: user %q has no target secret of its own for mutual CHAP", errAuth, c.user)
	}
	c.mutual = true
	proof := c.respond(byte(id), secrets.Target, challenge)
	return []pair{{"CHAP_N", secrets.User}, {"CHAP_R", "0x" + hex.EncodeToString(proof)}}, nil
}

// respond is hash(identifier, secret, challenge), RFC 1994 §4.1.
func (c *chap) respond(id byte, secret string, challenge []byte) []byte {
	h := c.algorithm.make()
	h.Write([]byte{id})
	h.Write([]byte(secret))
	h.Write(challenge)
	return h.Sum(nil)
}

// parseBinary reads a binary value in hexadecimal (0x) or base64 (0b) of at
// most limit bytes (RFC 7143 §6.1).
func parseBinary(s string, limit int) ([]byte, error) {
	if len(s) < 2 || len(s) > 2+2*limit+2 {
		return nil, fmt.Errorf("%d characters for at most %d bytes", len(s), limit)
	}
	var b []byte
	var err error
	switch prefix, digits := strings.ToLower(s[:2]), s[2:]; prefix {
	case "0x":
		if len(digits)%2 == 1 {
			digits = "0" + digits
		}
		b, err = hex.DecodeString(digits)
	case "0b":
		b, err = base64.StdEncoding.DecodeString(digits)
	default:
		err = errors.New("neither 0x nor 0b")
	}
	if err != nil || len(b) > limit {
		return nil, errors.Join(errText, errors.New("not a binary value in bounds"))
	}
	return b, nil
}
