package iscsi

import "strings"

// answerText answers the keys of full feature phase: SendTargets, and what may
// change after login.
func (n *session) answerText(pairs []pair) []pair {
	var answers []pair
	for _, p := range pairs {
		switch p.key {
		case "SendTargets":
			answers = append(answers, n.sendTargets(p.value)...)
		case "MaxRecvDataSegmentLength":
			if !n.declare(p.value) {
				answers = append(answers, pair{p.key, textReject})
			}
		case "InitiatorAlias":
		default:
			answers = append(answers, pair{p.key, onlyAtLogin(p)})
		}
	}
	return answers
}

// declare takes another MaxRecvDataSegmentLength of the initiator's.
func (n *session) declare(value string) bool {
	changed := defaults()
	if _, rejected := changed.answer("MaxRecvDataSegmentLength", value); rejected {
		return false
	}
	n.wire.out.mu.Lock()
	defer n.wire.out.mu.Unlock()
	n.sendSegment = changed.sendSegment
	return true
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

// sendTargets lists targets and the portal that initiators log in to (RFC 7143
// appendix C). A normal session sees its own target only.
func (n *session) sendTargets(which string) []pair {
	address := n.server.portal(n.wire.conn.LocalAddr()) + "," + portalGroup
	names := []string{n.info.TargetName}
	if n.admission == nil {
		names = n.server.directory.Targets(n.info.InitiatorName, n.account)
	} else if which == "All" {
		return []pair{{"SendTargets", textReject}}
	}
	var answers []pair
	for _, name := range names {
		if which == "All" || strings.EqualFold(which, name) || which == "" && n.admission != nil {
			answers = append(answers, pair{"TargetName", name}, pair{"TargetAddress", address})
		}
	}
	return answers
}
