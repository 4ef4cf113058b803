package iscsi

import (
	"strings"
)

const methodCHAP = "CHAP"

// auth is the security stage of one login (RFC 7143 §12).
type auth struct {
	discovery bool
	directory Directory
	guard     *guard
	host      string // of the initiator
	admission *Admission
	method    string // "" until agreed
	chap      *chap
}

func isSecurity(key string) bool { return key == "AuthMethod" || strings.HasPrefix(key, "CHAP_") }

// pending says that an exchange has begun and not ended.
func (a *auth) pending() bool { return a.method == methodCHAP && !a.chap.done }

func (a *auth) required() bool { return a.admission != nil && a.admission.Required }

// satisfied says that the initiator needs to prove nothing more.
func (a *auth) satisfied() bool {
	if a.method == methodCHAP {
		return a.chap.done
	}
	return !a.required()
}

// stands says that what the initiator has proved is enough for the admission
// that is in force now, which may be another than the one it was proved for.
func (a *auth) stands() bool {
	if !a.satisfied() || !a.required() {
		return a.satisfied()
	}
	return a.admission.CHAP != nil && a.chap.user == a.admission.CHAP.User
}

// negotiate answers the security keys of one request.
func (a *auth) negotiate(stage byte, pairs []pair) ([]pair, error) {
	var answers []pair
	for _, p := range pairs {
		var more []pair
		var err error
		switch p.key {
		case "AuthMethod":
			more, err = a.choose(stage, p.value)
		case "CHAP_A":
			more, err = a.exchange(func() ([]pair, error) { return a.chap.offer(p.value) })
		case "CHAP_R":
			more, err = a.exchange(func() ([]pair, error) { return a.chap.verify(pairs) })
		}
		if err != nil {
			return nil, err
		}
		answers = append(answers, more...)
	}
	return answers, nil
}

// choose picks the method. Where authentication is not needed None wins, as an
// initiator of an access group gets in with whatever secrets it has; a
// discovery session gets the first of its list (RFC 7143 §6.2.1).
func (a *auth) choose(stage byte, list string) ([]pair, error) {
	if stage != stageSecurity || a.method != "" {
		return nil, refuse(loginInitiatorError, "AuthMethod out of place")
	}
	supported := []string{textNone, methodCHAP}
	if a.required() {
		supported = []string{methodCHAP}
	}
	if !a.discovery && !a.required() && firstOf(list, textNone) == textNone {
		supported = []string{textNone}
	}
	a.method = firstOf(list, supported...)
	switch a.method {
	case textReject:
		return nil, refuse(loginAuthFailed, "%w: no method in common", errAuth)
	case methodCHAP:
		a.chap = &chap{secrets: a.secrets, guard: a.guard, host: a.host}
	}
	return []pair{{"AuthMethod", a.method}}, nil
}

func (a *auth) exchange(step func() ([]pair, error)) ([]pair, error) {
	if a.method != methodCHAP {
		return nil, refuse(loginInitiatorError, "CHAP keys without AuthMethod=CHAP")
	}
	answers, err := step()
	if err != nil {
		return nil, &loginError{loginAuthFailed, err}
	}
	return answers, nil
}

// secrets finds the secrets a user name must prove: the admission's own, or,
// where it has none and needs none, those of any user the directory knows.
func (a *auth) secrets(user string) (*CHAP, bool) {
	if a.admission == nil || a.admission.CHAP == nil && !a.required() {
		return a.directory.Secrets(user)
	}
	if a.admission.CHAP == nil || a.admission.CHAP.User != user {
		return nil, false
	}
	return a.admission.CHAP, true
}

// describe fills the session's authentication.
func (a *auth) describe(s *Session) {
	s.AuthMethod = textNone
	if a.method != methodCHAP {
		return
	}
	s.AuthMethod, s.CHAPAlgorithm, s.CHAPUser = methodCHAP, a.chap.algorithm.name, a.chap.user
	s.CHAPDirection = "one-way"
	if a.chap.mutual {
		s.CHAPDirection = "two-way"
	}
}
