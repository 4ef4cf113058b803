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
	mu    sync.Mutex
	pages map[string]map[request]page // by the array's name
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
		k.put(m.Name, r, p)
		return p, nil
	}
	if was, ok := k.get(m.Name, r); ok && errors.Is(err, san.ErrUnavailable) {
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

func (k *known) put(array string, r request, p page) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pages == nil {
		k.pages = map[string]map[request]page{}
	}
	if k.pages[array] == nil || r.start == "" { // a list from the start on makes the others stale
		k.pages[array] = map[request]page{}
	}
	k.pages[array][r] = p
}

func (k *known) get(array string, r request) (page, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	p, ok := k.pages[array][r]
	return p, ok
}
