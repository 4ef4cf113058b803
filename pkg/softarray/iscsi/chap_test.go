package iscsi

import (
	"encoding/hex"
	"testing"
	"testing/synctest"
	"time"
)

// The digests were computed by openssl of 01 || "initiator123" || a0b1c2d3.
func TestCHAPResponsesOfEveryAlgorithm(t *testing.T) {
	for number, want := range map[string]string{
		"5": "d9fca7f231d07ae2b578281719272358",
		"6": "b3480a2f73622efe07555690ee6dd3f9d617abcc",
		"7": "cbf5810b3b33054b1737e9bfb6b62420d90cda4ab8e9521b43194031ebdb6b17",
		"8": "9e731e3ecf70b715b2375d30e8416894d83669283de613e4e453c9325c1aaf86",
	} {
		algorithm, ok := chapAlgorithm(number)
		if !ok {
			t.Fatalf("no algorithm %s", number)
		}
		got := (&chap{algorithm: algorithm}).respond(1, "initiator123", []byte{0xa0, 0xb1, 0xc2, 0xd3})
		if hex.EncodeToString(got) != want {
			t.Errorf("%s: %x, want %s", algorithm.name, got, want)
		}
	}
}

// chapLogin offers algorithms and proves secret; with a mutual challenge it
// returns the target's proof.
func chapLogin(i *initiator, algorithms, secret string, mutual func(ours string) []pair) []pair {
	i.step(0x03, named(pair{"AuthMethod", "CHAP"})...)
	_, offer := i.step(0x03, pair{"CHAP_A", algorithms})
	number, _ := valueOf(offer, "CHAP_A")
	id, _ := valueOf(offer, "CHAP_I")
	text, _ := valueOf(offer, "CHAP_C")
	algorithm, ok := chapAlgorithm(number)
	if !ok {
		return nil
	}
	n, _ := parseNumber(id)
	challenge, _ := parseBinary(text, maxChallenge)
	proof := (&chap{algorithm: algorithm}).respond(byte(n), secret, challenge)
	pairs := []pair{{"CHAP_N", "tenant"}, {"CHAP_R", "0x" + hex.EncodeToString(proof)}}
	_, answers := i.step(0x83, append(pairs, mutual(text)...)...)
	return answers
}

func TestCHAP(t *testing.T) {
	none := func(string) []pair { return nil }
	ask := func(string) []pair { return []pair{{"CHAP_I", "9"}, {"CHAP_C", "0xa0b1c2d3"}} }
	reflect := func(ours string) []pair { return []pair{{"CHAP_I", "9"}, {"CHAP_C", ours}} }
	for _, tt := range []struct {
		name, algorithms, secret string
		mutual                   func(string) []pair
		want                     uint16
		algorithm, direction     string
	}{
		{"MD5", "5", "initiator123", none, 0, "MD5", "one-way"},
		{"first of the list", "8,5", "initiator123", none, 0, "SHA3-256", "one-way"},
		{"first that is known", "99,7,5", "initiator123", none, 0, "SHA-256", "one-way"},
		{"mutual", "6", "initiator123", ask, 0, "SHA1", "two-way"},
		{"wrong secret", "5", "initiator124", none, loginAuthFailed, "", ""},
		{"target's secret", "5", "target123456", none, loginAuthFailed, "", ""},
		{"no algorithm", "99", "initiator123", none, loginAuthFailed, "", ""},
		{"reflection", "5", "initiator123", reflect, loginAuthFailed, "", ""},
		{"mutual without a challenge", "5", "initiator123", func(string) []pair { return []pair{{"CHAP_I", "9"}} }, loginAuthFailed, "", ""},
		{"mutual with no number", "5", "initiator123", func(string) []pair { return []pair{{"CHAP_I", "256"}, {"CHAP_C", "0xa0"}} }, loginAuthFailed, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := serve(t, Options{})
			p.directory.admission.CHAP = &CHAP{User: "tenant", Initiator: "initiator123", Target: "target123456"}
			p.directory.admission.Required = true
			i := p.dial(t)
			answers := chapLogin(i, tt.algorithms, tt.secret, tt.mutual)
			if i.status != tt.want {
				t.Fatalf("status %#04x, want %#04x", i.status, tt.want)
			}
			if tt.want != 0 {
				return
			}
			s := p.server.Sessions()[0]
			if s.AuthMethod != "CHAP" || s.CHAPAlgorithm != tt.algorithm || s.CHAPUser != "tenant" || s.CHAPDirection != tt.direction {
				t.Errorf("session %+v", s)
			}
			if tt.direction == "two-way" {
				algorithm, _ := chapAlgorithm(tt.algorithms)
				want := (&chap{algorithm: algorithm}).respond(9, "target123456", []byte{0xa0, 0xb1, 0xc2, 0xd3})
				if got, _ := valueOf(answers, "CHAP_R"); got != "0x"+hex.EncodeToString(want) {
					t.Errorf("proof of the target %q", got)
				}
			}
		})
	}
}

// requireCHAP makes the target ask for the account's secrets.
func (p *portal) requireCHAP(target string) {
	p.directory.admission.CHAP = &CHAP{User: "tenant", Initiator: "initiator123", Target: target}
	p.directory.admission.Required = true
}

// Whoever gets a challenge on one connection may not have the array answer it
// on another.
func TestChallengeOfAnotherConnectionIsNotAnswered(t *testing.T) {
	p := serve(t, Options{})
	p.requireCHAP("target123456")
	other := p.dial(t)
	other.step(0x03, named(pair{"AuthMethod", "CHAP"})...)
	_, offer := other.step(0x03, pair{"CHAP_A", "5"})
	theirs, _ := valueOf(offer, "CHAP_C")
	i := p.dial(t)
	chapLogin(i, "5", "initiator123", func(string) []pair { return []pair{{"CHAP_I", "9"}, {"CHAP_C", theirs}} })
	if i.status != loginAuthFailed {
		t.Errorf("status %#04x, want %#04x", i.status, loginAuthFailed)
	}
}

func TestOneSecretForBothDirectionsIsNoMutualCHAP(t *testing.T) {
	p := serve(t, Options{})
	p.requireCHAP("initiator123")
	i := p.dial(t)
	chapLogin(i, "5", "initiator123", func(string) []pair { return []pair{{"CHAP_I", "9"}, {"CHAP_C", "0xa0b1c2d3"}} })
	if i.status != loginAuthFailed {
		t.Errorf("status %#04x, want %#04x", i.status, loginAuthFailed)
	}
}

func TestGuessesAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPortal(Options{})
		p.requireCHAP("")
		login := func(secret string) uint16 {
			i := p.pipe(t)
			chapLogin(i, "5", secret, func(string) []pair { return nil })
			return i.status
		}
		for range maxFailures - 1 {
			login("a wrong guess")
		}
		if status := login("initiator123"); status != 0 {
			t.Fatalf("before the limit: status %#04x", status)
		}
		for range maxFailures {
			login("a wrong guess")
		}
		if status := login("initiator123"); status != loginAuthFailed {
			t.Errorf("at the limit: status %#04x, want %#04x", status, loginAuthFailed)
		}
		time.Sleep(failureWindow)
		if status := login("initiator123"); status != 0 {
			t.Errorf("after the window: status %#04x", status)
		}
	})
}

func TestSuspectsAreBounded(t *testing.T) {
	g := newGuard()
	for i := range maxSuspects + 10 {
		g.failed(suspect{user: "u", host: time.Duration(i).String()})
	}
	if len(g.suspects) != maxSuspects {
		t.Errorf("%d suspects, want %d", len(g.suspects), maxSuspects)
	}
}
