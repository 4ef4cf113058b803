package element

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"strconv"
	"strings"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/san"
)

// Keys of a volume's attributes, all with values that are plain strings.
const (
	keyPrefix  = "san-csi."
	keyCluster = keyPrefix + "cluster"
	keyName    = keyPrefix + "name"   // the caller's, where Element's differs; see packText
	keyPVC     = keyPrefix + "pvc"    // namespace/name
	keyPV      = keyPrefix + "pv"     //
	keyClass   = keyPrefix + "class"  //
	keyState   = keyPrefix + "state"  // pending:<incarnation>, claimed or imported
	keyBlank   = keyPrefix + "blank"  // "1": made empty by this driver
	keySource  = keyPrefix + "source" // of a clone: what it was made of, see origin
	keyEpoch   = keyPrefix + "epoch"  // grants counted so far
	keyNote    = keyPrefix + "note"   // see packText
	keyKeep    = keyPrefix + "keep"   // "1": once deleted, it stays in the recycle bin
	keyGrants  = keyPrefix + "grants" // <node id>=<epoch>, 's' if shared, 'r' if read only; separated by spaces
	keyFence   = keyPrefix + "fence"  // <former access> <tag of a node in grants>: a fence is under way
	keyFenced  = keyPrefix + "fenced" // <mark of a node>=<epoch>; separated by spaces: no grant to it until it has confirmed
	keyWrite   = keyPrefix + "write"  // which one it was: see latest
	keyTag     = keyPrefix + "tag"    // of an access group: its node's tag

	maxAttributeBytes = 999 // Element takes less than 1000

	stateClaimed  = "claimed"
	stateImported = "imported"
	pendingPrefix = "pending:"
)

// record is what this driver keeps in a volume's attributes.
type record struct {
	name    string // the caller's
	owner   san.Owner
	note    string
	keep    bool
	state   string
	blank   bool
	source  string
	epoch   int64
	grants  []holder
	fence   *fence
	fenced  []fenced
	mark    string         // of its writing, "" = none
	foreign api.Attributes // other clients' keys
}

// holder is a node with a grant.
type holder struct {
	node  san.Node
	epoch int64
	mode  san.Mode
}

// fence is one that was begun on a node in grants: the volume is or will be
// locked until the node's session is gone, then gets its former access back.
type fence struct {
	former string
	node   san.Node
}

// fenced is a node that kept a session when it was fenced: it may still hold
// what it has not written yet. Nothing of grants up to the epoch may come back.
type fenced struct {
	mark  string // see markOf
	epoch int64
}

func (r record) pending() bool { return strings.HasPrefix(r.state, pendingPrefix) }

// stays tells whether the volume, once deleted, stays in the recycle bin: its
// class says so, or it was not made by this driver.
func (r record) stays() bool { return r.keep || r.state == stateImported || r.owner.Cluster == "" }

// holderOf is the place of the initiator's grant, -1 where it has none.
func (r record) holderOf(iqn string) int {
	for i, h := range r.grants {
		if h.node.IQN == iqn {
			return i
		}
	}
	return -1
}

func (r record) nodes() []san.Node {
	nodes := make([]san.Node, 0, len(r.grants))
	for _, h := range r.grants {
		nodes = append(nodes, h.node)
	}
	return nodes
}

// without is the record less that node's grant and fence.
func (r record) without(n san.Node) record {
	var kept []holder
	for _, h := range r.grants {
		if h.node != n {
			kept = append(kept, h)
		}
	}
	r.grants = kept
	if r.fence != nil && r.fence.node == n {
		r.fence = nil
	}
	return r
}

// readRecord reads a volume's attributes. A volume that no driver marked has an
// empty owner and state. ErrBusy where the marks cannot be read: to guess would
// risk another's data.
func readRecord(v api.Volume) (record, error) {
	r := record{name: v.Name, foreign: api.Attributes{}}
	texts := map[string]string{}
	for key, raw := range v.Attributes {
		if !strings.HasPrefix(key, keyPrefix) {
			r.foreign[key] = raw
			continue
		}
		text, err := unquote(raw)
		if err != nil {
			return r, damaged(v, key, err)
		}
		texts[key] = text
	}
	r.owner = san.Owner{Cluster: texts[keyCluster], PVC: texts[keyPVC], PV: texts[keyPV], StorageClass: texts[keyClass]}
	r.state, r.source, r.mark = texts[keyState], texts[keySource], texts[keyWrite]
	r.blank, r.keep = texts[keyBlank] == "1", texts[keyKeep] == "1"
	for key, to := range map[string]*string{keyName: &r.name, keyNote: &r.note} {
		packed, ok := texts[key]
		if !ok {
			continue
		}
		text, err := unpackText(packed)
		if err != nil {
			return r, damaged(v, key, err)
		}
		*to = text
	}
	return r, r.readAccess(v, texts)
}

func (r *record) readAccess(v api.Volume, texts map[string]string) error {
	if text, ok := texts[keyEpoch]; ok {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return damaged(v, keyEpoch, err)
		}
		r.epoch = n
	}
	for _, text := range strings.Fields(texts[keyGrants]) {
		h, err := readHolder(text)
		if err != nil {
			return damaged(v, keyGrants, err)
		}
		r.grants = append(r.grants, h)
	}
	for _, text := range strings.Fields(texts[keyFenced]) {
		f, err := readFenced(text)
		if err != nil {
			return damaged(v, keyFenced, err)
		}
		r.fenced = append(r.fenced, f)
	}
	text, ok := texts[keyFence]
	if !ok {
		return nil
	}
	former, tag, _ := strings.Cut(text, " ")
	for _, h := range r.grants {
		if h.node.Tag == tag && former != "" {
			r.fence = &fence{former, h.node}
			return nil
		}
	}
	return damaged(v, keyFence, fmt.Errorf("%q names no node with a grant", text))
}

// damaged does not wrap err: its own sentinel would mislead.
func damaged(v api.Volume, key string, err error) error {
	return fmt.Errorf("volume %d (%s): attribute %s cannot be read (%s): %w", v.VolumeID, v.Name, key, err.Error(), san.ErrBusy)
}

// accessLength is how long the texts are of the worst that a node may add to a
// record, bytes: a grant of the longest node id, and the marks of its fence.
func accessLength() int {
	n := san.Node{IQN: strings.Repeat("i", san.MaxNodeIDLength-len("#01234567")), Tag: "01234567"}
	r := record{epoch: math.MaxInt32, grants: []holder{{n, math.MaxInt32, san.Mode{Shared: true, ReadOnly: true}}}}
	return lengthOf(r.reserving(n).texts(""))
}

// fits tells whether the array keeps a record that nobody has access to, when the
// longest note and so many bytes of access are added.
func (r record) fits(elementName string, access int) bool {
	r.note += strings.Repeat("n", max(0, san.NoteLength-len(r.note)))
	r.mark = strings.Repeat("m", longestMark)
	length, err := r.length(elementName, r.texts(elementName))
	return err == nil && length+access <= maxAttributeBytes
}

// attributes is the record as the array keeps it; ErrExhausted where it is too
// long, which many grants or other clients' keys may cause.
func (r record) attributes(elementName string) (api.Attributes, error) {
	texts := r.texts(elementName)
	if err := r.checkLength(elementName, texts); err != nil {
		return nil, err
	}
	attributes := make(api.Attributes, len(texts)+len(r.foreign))
	maps.Copy(attributes, r.foreign)
	for _, t := range texts {
		if t.text != "" {
			attributes[t.key] = quote(t.text)
		}
	}
	return attributes, nil
}

type keyText struct{ key, text string }

// texts are what the attributes say; an empty one is not there.
func (r record) texts(elementName string) []keyText {
	texts := make([]keyText, 0, 16)
	texts = append(texts, keyText{keyCluster, r.owner.Cluster}, keyText{keyPVC, r.owner.PVC}, keyText{keyPV, r.owner.PV},
		keyText{keyClass, r.owner.StorageClass}, keyText{keyState, r.state}, keyText{keySource, r.source})
	if r.name != elementName {
		texts = append(texts, keyText{keyName, packText(r.name)})
	}
	if r.note != "" {
		texts = append(texts, keyText{keyNote, packText(r.note)})
	}
	if r.blank {
		texts = append(texts, keyText{keyBlank, "1"})
	}
	if r.keep {
		texts = append(texts, keyText{keyKeep, "1"})
	}
	if r.epoch != 0 {
		texts = append(texts, keyText{keyEpoch, strconv.FormatInt(r.epoch, 10)})
	}
	var grants, out []string
	for _, h := range r.grants {
		grants = append(grants, h.String())
	}
	for _, f := range r.fenced {
		out = append(out, f.String())
	}
	texts = append(texts, keyText{keyGrants, strings.Join(grants, " ")}, keyText{keyFenced, strings.Join(out, " ")}, keyText{keyWrite, r.mark})
	if r.fence != nil {
		texts = append(texts, keyText{keyFence, r.fence.former + " " + r.fence.node.Tag})
	}
	return texts
}

// length is how long the texts are beside other clients' keys, as the array
// counts it.
func (r record) length(elementName string, texts []keyText) (int, error) {
	length := len(`{`) + lengthOf(texts)
	for key, raw := range r.foreign {
		encoded, err := json.Marshal(raw)
		if err != nil {
			return 0, fmt.Errorf("attributes of volume %s: %s: %w: %w", elementName, key, san.ErrBusy, err)
		}
		length += len(quote(key)) + len(encoded) + len(`:,`)
	}
	return length, nil
}

// lengthOf is how long the texts are; a comma or a brace ends each.
func lengthOf(texts []keyText) (length int) {
	for _, t := range texts {
		if t.text != "" {
			length += len(t.key) + quotedLength(t.text) + len(`"":,`)
		}
	}
	return length
}

// checkLength is ErrExhausted where the array would not keep the texts.
func (r record) checkLength(elementName string, texts []keyText) error {
	length, err := r.length(elementName, texts)
	if err != nil {
		return err
	}
	if length > maxAttributeBytes {
		return fmt.Errorf("attributes of volume %s with %d grants: %d bytes, the array takes %d: %w",
			elementName, len(r.grants), length, maxAttributeBytes, san.ErrExhausted)
	}
	return nil
}
