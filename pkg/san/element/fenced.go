package element

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	api "github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/pkg/san"
)

// markDigits is how many hex digits of a hash stand for an initiator's name.
const markDigits = 8

// markOf is a node in 16 hex digits: its tag, and a hash of its initiator's name.
func markOf(n san.Node) string { return n.Tag + shortHash(n.IQN)[:markDigits] }

// concerns tells whether what was fenced is that node: the same machine or the
// same initiator. One of the two may have got a new name since.
func (f fenced) concerns(n san.Node) bool {
	mark := markOf(n)
	return f.mark[:markDigits] == mark[:markDigits] || f.mark[markDigits:] == mark[markDigits:]
}

// String is the entry as attributes keep it.
func (f fenced) String() string { return f.mark + "=" + strconv.FormatInt(f.epoch, 10) }

func readFenced(text string) (fenced, error) {
	mark, number, _ := strings.Cut(text, "=")
	epoch, err := strconv.ParseInt(number, 10, 64)
	if err == nil && len(mark) != 2*markDigits {
		err = fmt.Errorf("%.40q does not begin with a node's mark", text)
	}
	return fenced{mark, epoch}, err
}

// barring is the epoch up to which the node has to confirm that all is over, 0
// where it has nothing to confirm.
func (r record) barring(n san.Node) (epoch int64) {
	for _, f := range r.fenced {
		if f.concerns(n) {
			epoch = max(epoch, f.epoch)
		}
	}
	return epoch
}

// bar is the record with the node kept out until it has confirmed.
func (r record) bar(n san.Node) record {
	epoch := r.epoch
	if i := r.holderOf(n.IQN); i >= 0 {
		epoch = r.grants[i].epoch
	}
	r.fenced = slices.DeleteFunc(slices.Clone(r.fenced), func(f fenced) bool { return f.mark == markOf(n) })
	r.fenced = append(r.fenced, fenced{markOf(n), max(epoch, 1)})
	return r
}

// unbar is the record without what the node has confirmed. A grant that it
// covers, of a fence that did not end, goes on under a new epoch.
func (r record) unbar(n san.Node, epoch int64) record {
	kept := slices.DeleteFunc(slices.Clone(r.fenced), func(f fenced) bool { return f.concerns(n) && f.epoch <= epoch })
	if len(kept) == len(r.fenced) {
		return r
	}
	r.fenced = kept
	if i := r.holderOf(n.IQN); i >= 0 && r.grants[i].epoch <= epoch {
		r.epoch++
		r.grants = slices.Clone(r.grants)
		r.grants[i].epoch = r.epoch
	}
	return r
}

// reserving is the record with all that a fence of the node may add.
func (r record) reserving(n san.Node) record {
	r = r.bar(n)
	r.fence = &fence{api.AccessReadWrite, n}
	return r
}

// Barred is the epoch up to which the node has to confirm that nothing of the
// volume is left there, 0 where nothing is to be confirmed.
func (a *Array) Barred(ctx context.Context, h san.Handle, n san.Node) (int64, error) {
	if _, r, ok := a.recall(ctx, h, refresh); ok {
		return r.barring(n), nil
	}
	_, r, err := a.load(ctx, h)
	if errors.Is(err, san.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fail("look for fences of volume", h, err)
	}
	return r.barring(n), nil
}

// Confirm takes note that nothing of the volume's grants up to that epoch is
// left on the node. A volume that is gone has nothing to note.
func (a *Array) Confirm(ctx context.Context, h san.Handle, n san.Node, epoch int64) error {
	unlock, err := a.volumes.lock(ctx, h.Volume)
	if err != nil {
		return fail("confirm fence of volume", h, err)
	}
	defer unlock()
	v, r, err := a.reload(ctx, h)
	if errors.Is(err, san.ErrNotFound) {
		return nil
	}
	if now := r.unbar(n, epoch); err == nil && len(now.fenced) < len(r.fenced) {
		_, err = a.write(ctx, v, now)
	}
	if err != nil {
		return fail(fmt.Sprintf("confirm fence of volume %v by", h), n, err)
	}
	return nil
}
