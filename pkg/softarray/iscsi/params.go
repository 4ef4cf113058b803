package iscsi

import (
	"slices"
	"strconv"
	"strings"
)

// Answers with a meaning of their own (RFC 7143 §6.2).
const (
	textReject        = "Reject"
	textNotUnderstood = "NotUnderstood"
	textNone          = "None"
	textYes           = "Yes"
	textNo            = "No"
)

const (
	// recvSegment is the longest data segment taken from an initiator, bytes.
	recvSegment = 256 << 10
	// loginSegment is the default of MaxRecvDataSegmentLength, which holds for
	// logins (RFC 7143 §13.12).
	loginSegment  = 8192
	ownMaxBurst   = 1 << 20
	ownFirstBurst = 256 << 10
	ownOpenR2Ts   = 4
)

// params are a session's operational parameters; lengths are bytes.
type params struct {
	headerDigest, dataDigest bool
	initialR2T               bool
	immediateData            bool
	sendSegment              int // the initiator's MaxRecvDataSegmentLength
	maxBurst, firstBurst     int
	openR2Ts                 int // MaxOutstandingR2T
}

// defaults are the values of keys that nobody names (RFC 7143 §13).
func defaults() params {
	return params{
		initialR2T: true, immediateData: true,
		sendSegment: loginSegment, maxBurst: 256 << 10, firstBurst: 64 << 10, openR2Ts: 1,
	}
}

// answer negotiates one operational key and returns our value; reply is false
// for keys that are declared and not answered.
func (p *params) answer(key, value string) (result string, reply bool) {
	switch key {
	case "HeaderDigest":
		result = digestChoice(value)
		p.headerDigest = result == "CRC32C"
	case "DataDigest":
		result = digestChoice(value)
		p.dataDigest = result == "CRC32C"
	case "InitialR2T":
		result = boolean(value, &p.initialR2T, func(offer bool) bool { return offer })
	case "ImmediateData":
		result = boolean(value, &p.immediateData, func(offer bool) bool { return offer })
	case "MaxRecvDataSegmentLength":
		result = number(value, 512, 1<<24-1, 1<<24-1, &p.sendSegment)
		return result, result == textReject
	case "MaxBurstLength":
		result = number(value, 512, 1<<24-1, ownMaxBurst, &p.maxBurst)
	case "FirstBurstLength":
		result = number(value, 512, 1<<24-1, ownFirstBurst, &p.firstBurst)
	case "MaxOutstandingR2T":
		result = number(value, 1, 65535, ownOpenR2Ts, &p.openR2Ts)
	default:
		return fixedAnswer(key, value)
	}
	return result, true
}

// fixedAnswer is for keys whose outcome changes nothing here.
func fixedAnswer(key, value string) (result string, reply bool) {
	var ignored int
	switch key {
	case "InitiatorName", "InitiatorAlias", "TargetName", "SessionType":
		return "", false
	case "MaxConnections":
		return number(value, 1, 65535, 1, &ignored), true
	case "ErrorRecoveryLevel":
		return number(value, 0, 2, 0, &ignored), true
	case "DefaultTime2Wait":
		// The result is the larger value, and ours is 0: theirs.
		return number(value, 0, 3600, 3600, &ignored), true
	case "DefaultTime2Retain":
		return number(value, 0, 3600, 0, &ignored), true
	case "iSCSIProtocolLevel":
		return number(value, 0, 31, 1, &ignored), true
	case "DataPDUInOrder", "DataSequenceInOrder":
		var inOrder bool
		return boolean(value, &inOrder, func(bool) bool { return true }), true
	case "TaskReporting":
		return firstOf(value, "RFC3720"), true
	case "RDMAExtensions", "IFMarker", "OFMarker":
		var off bool
		return boolean(value, &off, func(bool) bool { return false }), true
	case "IFMarkInt", "OFMarkInt":
		return textReject, true // obsolete, RFC 7143 §13.25
	}
	return textNotUnderstood, true
}

// settle makes the parameters fit each other after the last key.
func (p *params) settle() { p.firstBurst = min(p.firstBurst, p.maxBurst) }

func digestChoice(value string) string { return firstOf(value, "CRC32C", textNone) }

// firstOf is the first of a list's values that is supported (RFC 7143 §6.2.1).
func firstOf(list string, supported ...string) string {
	for offer := range strings.SplitSeq(list, ",") {
		if slices.Contains(supported, offer) {
			return offer
		}
	}
	return textReject
}

// boolean reads Yes or No and stores result(offer).
func boolean(value string, into *bool, result func(offer bool) bool) string {
	if value != textYes && value != textNo {
		return textReject
	}
	*into = result(value == textYes)
	if *into {
		return textYes
	}
	return textNo
}

// number reads a number within low and high and stores the smaller of it and
// ours. Decimal and 0x-hexadecimal are allowed (RFC 7143 §6.1).
func number(value string, low, high, ours int, into *int) string {
	n, err := parseNumber(value)
	if err != nil || n < uint64(low) || n > uint64(high) {
		return textReject
	}
	*into = min(int(n), ours)
	return strconv.Itoa(*into)
}

func parseNumber(s string) (uint64, error) {
	if hex, ok := strings.CutPrefix(strings.ToLower(s), "0x"); ok {
		return strconv.ParseUint(hex, 16, 64)
	}
	return strconv.ParseUint(s, 10, 64)
}
