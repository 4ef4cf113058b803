package iscsi

import "errors"

// exchange is a text exchange under way (RFC 7143 §6.2), the reader's own.
type exchange struct {
	tag  uint32 // with which the initiator goes on
	in   []byte // of requests with the C bit
	out  *buffer
	sent int // bytes of out
}

// onText takes a Text Request (RFC 7143 §11.10).
func (n *session) onText(h *header) error {
	data, err := n.wire.readShort(h, maxTextLen)
	if errors.Is(err, errDataDigest) {
		return n.reject(h, rejectDataDigest)
	}
	if err != nil {
		return err
	}
	if take, err := n.expected(h); err != nil || !take {
		return err
	}
	if h.ttt() == noTag { // a new exchange resets the one before
		n.endText()
	} else if h.ttt() != n.text.tag {
		return n.reject(h, rejectInvalidField)
	}
	if n.text.out == nil {
		if reason := n.collect(h, data); reason != 0 {
			n.endText()
			return n.reject(h, reason)
		}
	}
	if _, err := n.inOrder(h); err != nil {
		return err
	}
	if h.continues() {
		return n.textResponse(h, nil, false)
	}
	return n.sendText(h)
}

// collect adds a request's text and answers it when it is whole. It returns
// the reason to reject the request, 0 for none.
func (n *session) collect(h *header, data []byte) (reason byte) {
	if n.text.in = append(n.text.in, data...); len(n.text.in) > maxTextLen {
		return rejectProtocol
	}
	if h.continues() {
		return 0
	}
	pairs, err := parseText(n.text.in)
	if _, twice := repeated(pairs); err != nil || twice {
		return rejectProtocol
	}
	n.text.in = nil
	answer := formatText(n.answerText(pairs))
	if len(answer) == 0 {
		return 0
	}
	if n.text.out = n.server.buffers.get(len(answer)); n.text.out == nil {
		return rejectResources
	}
	n.text.sent = 0
	copy(n.text.out.b, answer)
	return 0
}

// endText forgets the exchange.
func (n *session) endText() {
	if n.text.out != nil {
		n.wire.out.mu.Lock()
		n.wire.out.hold(n.text.out)
		n.wire.out.mu.Unlock()
	}
	n.text = exchange{tag: noTag}
}

// sendText sends what is left of an answer, as much as one PDU holds.
func (n *session) sendText(h *header) error {
	if n.text.out == nil {
		return n.textResponse(h, nil, true)
	}
	n.wire.out.mu.Lock()
	limit := n.sendSegment
	n.wire.out.mu.Unlock()
	rest := n.text.out.b[n.text.sent:]
	part := rest[:min(len(rest), limit)]
	n.text.sent += len(part)
	if len(part) < len(rest) {
		return n.textResponse(h, part, false)
	}
	err := n.textResponse(h, part, true)
	tag := n.text.tag
	n.endText()
	n.text.tag = tag
	return err
}

// textResponse sends a Text Response (RFC 7143 §11.11). One that is not the
// last has a tag, with which the initiator asks for more or goes on; the last
// one of an initiator that has not ended the exchange is not final.
func (n *session) textResponse(h *header, data []byte, last bool) error {
	r := newHeader(opTextResponse, h.itt())
	r.setLUN(h.lun())
	n.text.tag = noTag
	if !last || !h.final() {
		n.text.tag = n.transferTag()
		r[1] = 0
		if len(data) > 0 && !last {
			r[1] = flagContinue
		}
	}
	r.setTTT(n.text.tag)
	return n.numbered(&r, data)
}
