package iscsi

import (
	"errors"
	"fmt"
)

// onText takes a Text Request (RFC 7143 §11.10): SendTargets, and negotiation
// of what may change in full feature phase.
func (n *session) onText(h *header) error {
	data, err := n.wire.readShort(h, maxTextLen)
	if errors.Is(err, errDataDigest) {
		return n.reject(h, rejectDataDigest)
	}
	if err != nil {
		return err
	}
	take, err := n.inOrder(h, false)
	if err != nil || !take {
		return err
	}
	if h.ttt() == noTag { // a new exchange resets the one before
		n.textIn, n.textOut, n.textTag = nil, nil, noTag
	} else if h.ttt() != n.textTag {
		return n.reject(h, rejectInvalidField)
	}
	if n.textOut != nil {
		return n.sendText(h)
	}
	if n.textIn = append(n.textIn, data...); len(n.textIn) > maxTextLen {
		n.textIn, n.textTag = nil, noTag
		return n.reject(h, rejectProtocol)
	}
	if h.continues() {
		return n.textResponse(h, nil, false)
	}
	pairs, err := parseText(n.textIn)
	n.textIn = nil
	if err != nil {
		return n.reject(h, rejectProtocol)
	}
	n.textOut = formatText(n.answerText(pairs))
	return n.sendText(h)
}

// sendText sends what is left of an answer, as much as one PDU holds.
func (n *session) sendText(h *header) error {
	size := min(len(n.textOut), n.params.sendSegment)
	part := n.textOut[:size]
	n.textOut = n.textOut[size:]
	last := len(n.textOut) == 0
	if last {
		n.textOut = nil
	}
	return n.textResponse(h, part, last)
}

// textResponse sends a Text Response (RFC 7143 §11.11). One that is not the
// last has a tag, with which the initiator asks for more.
func (n *session) textResponse(h *header, data []byte, last bool) error {
	r := newHeader(opTextResponse, h.itt())
	r.setLUN(h.lun())
	n.textTag = noTag
	if !last {
		n.textTag = n.transferTag()
		r[1] = 0
		if len(data) > 0 {
			r[1] = flagContinue
		}
	}
	r.setTTT(n.textTag)
	return n.numbered(r, data)
}

func (n *session) answerText(pairs []pair) []pair {
	var answers []pair
	for _, p := range pairs {
		switch p.key {
		case "SendTargets":
			answers = append(answers, n.sendTargets(p.value)...)
		case "MaxRecvDataSegmentLength":
			if value, reply := n.params.answer(p.key, p.value); reply {
				answers = append(answers, pair{p.key, value})
			}
		case "InitiatorAlias":
		default:
			answers = append(answers, pair{p.key, onlyAtLogin(p)})
		}
	}
	return answers
}

// onlyAtLogin is the answer to any other key: Reject for those of the login,
// NotUnderstood for what is none of ours.
func onlyAtLogin(p pair) string {
	scratch := defaults()
	if value, reply := scratch.answer(p.key, p.value); reply && value == textNotUnderstood && !isSecurity(p.key) {
		return textNotUnderstood
	}
	return textReject
}

// sendTargets lists targets with the address the connection came in on, which
// is one the initiator can reach (RFC 7143 appendix C). A normal session sees
// its own target only.
func (n *session) sendTargets(which string) []pair {
	address := fmt.Sprintf("%s,%s", n.wire.conn.LocalAddr(), portalGroup)
	names := []string{n.info.TargetName}
	if n.admission == nil {
		names = n.server.directory.Targets(n.info.InitiatorName, n.account)
	} else if which == "All" {
		return []pair{{"SendTargets", textReject}}
	}
	var answers []pair
	for _, name := range names {
		if which == "All" || which == name || which == "" && n.admission != nil {
			answers = append(answers, pair{"TargetName", name}, pair{"TargetAddress", address})
		}
	}
	return answers
}
