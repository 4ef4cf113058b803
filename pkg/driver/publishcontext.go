package driver

import (
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"

	"github.com/san-csi/san-csi/pkg/san"
	"github.com/san-csi/san-csi/pkg/stage"
)

// The keys of the publish context: what a node needs to reach the LUN and to
// know it again. No secret is among them in clear, since a VolumeAttachment
// shows them.
const (
	contextIQN      = "iqn"
	contextPortals  = "portals"
	contextLUN      = "lun"
	contextNAA      = "naa"
	contextSize     = "sizeBytes"
	contextEpoch    = "epoch"
	contextBlank    = "blank"
	contextClone    = "clone"
	contextReadOnly = "readOnly"
)

func encodeGrant(g *san.Grant) map[string]string {
	return map[string]string{
		contextIQN:      g.IQN,
		contextPortals:  strings.Join(g.Portals, ","),
		contextLUN:      strconv.Itoa(g.LUN),
		contextNAA:      g.NAA,
		contextSize:     strconv.FormatInt(g.SizeBytes, 10),
		contextEpoch:    strconv.FormatInt(g.Epoch, 10),
		contextBlank:    strconv.FormatBool(g.Blank),
		contextClone:    strconv.FormatBool(g.Clone),
		contextReadOnly: strconv.FormatBool(g.ReadOnly),
	}
}

var naaPattern = regexp.MustCompile(`^[0-9a-f]{32}$`)

// decodeGrant reads a publish context into the request; a missing or wrong
// member is an error that names it.
func decodeGrant(context map[string]string, req *stage.StageRequest) error {
	t := &req.Target
	t.IQN = context[contextIQN]
	t.NAA = context[contextNAA]
	t.Credentials = context[contextCHAP]
	if t.IQN == "" {
		return fmt.Errorf("publish_context: %s: missing: %w", contextIQN, stage.ErrInvalid)
	}
	if !naaPattern.MatchString(t.NAA) {
		return fmt.Errorf("publish_context: %s %q: must be 32 hex digits: %w", contextNAA, t.NAA, stage.ErrInvalid)
	}
	for portal := range strings.SplitSeq(context[contextPortals], ",") {
		if _, _, err := net.SplitHostPort(portal); err != nil {
			return fmt.Errorf("publish_context: %s: %q: must be host:port: %w", contextPortals, portal, stage.ErrInvalid)
		}
		t.Portals = append(t.Portals, portal)
	}
	lun, err := number(context, contextLUN, 0)
	if err != nil {
		return err
	}
	t.LUN = int(lun)
	if t.SizeBytes, err = number(context, contextSize, 1); err != nil {
		return err
	}
	if req.Epoch, err = number(context, contextEpoch, 1); err != nil {
		return err
	}
	req.Blank = context[contextBlank] == "true"
	req.Clone = context[contextClone] == "true"
	req.ReadOnly = context[contextReadOnly] == "true"
	return nil
}

func number(context map[string]string, key string, low int64) (int64, error) {
	n, err := strconv.ParseInt(context[key], 10, 64)
	if err != nil || n < low {
		return 0, fmt.Errorf("publish_context: %s %q: must be a number from %d: %w", key, context[key], low, stage.ErrInvalid)
	}
	return n, nil
}
