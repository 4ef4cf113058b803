package provision

import (
	"context"
	"errors"
	"sync"

	"k8s.io/klog/v2"

	"github.com/san-csi/san-csi/pkg/placement"
	"github.com/san-csi/san-csi/pkg/san"
)

// known are the pages of volumes that arrays last gave. While an array does not
// answer its volumes are listed as they were: whoever reads a list takes what it
// leaves out for gone, and the volumes of the other arrays must be listed all the
// same. Where there is one array alone, its error says more. It is a cache: a process that has never read an array cannot list it.
type known struct {
	mu     sync.Mutex
	arrays map[string]pagesOf // by name
}

// pagesOf are the pages of one array; another one that came to its name has
// another ledger.
type pagesOf struct {
	ledger *placement.Ledger
	pages  map[request]page
}

type request struct {
	start string
	limit int
}

type page struct {
	volumes []san.Volume
	next    string
}

// list is one page of one of several arrays: from the array or, where it does not
// answer, as it was.
func (k *known) list(ctx context.Context, m placement.Member, r request) (page, error) {
	p, err := ask(ctx, m, r)
	if err == nil {
		k.put(m, r, p)
		return p, nil
	}
	if was, ok := k.get(m, r); ok && errors.Is(err, san.ErrUnavailable) {
		klog.FromContext(ctx).Info("volumes are listed as they were when the array last answered", "array", m.Name, "reason", err)
		return was, nil
	}
	return p, err
}

// ask asks an array that answered of late, and not for longer than the others can
// wait.
func ask(ctx context.Context, m placement.Member, r request) (p page, err error) {
	if err := m.Ledger.Down(); err != nil {
		return p, err
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	p.volumes, p.next, err = m.Array.List(ctx, r.start, r.limit)
	return p, err
}

func (k *known) put(m placement.Member, r request, p page) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.arrays == nil {
		k.arrays = map[string]pagesOf{}
	}
	// A list from the start on makes what there is of former ones stale.
	if r.start == "" || k.arrays[m.Name].ledger != m.Ledger {
		k.arrays[m.Name] = pagesOf{m.Ledger, map[request]page{}}
	}
	k.arrays[m.Name].pages[r] = p
}

func (k *known) get(m placement.Member, r request) (page, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	of := k.arrays[m.Name]
	p, ok := of.pages[r]
	return p, ok && of.ledger == m.Ledger
}
