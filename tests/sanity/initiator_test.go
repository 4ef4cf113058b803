package sanity

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/san-csi/san-csi/pkg/initiator"
)

// fakeInitiator attaches devices that exist in memory alone: the host that runs
// the unit tests may have no iSCSI. The real one is tested in a guest.
type fakeInitiator struct {
	mu      sync.Mutex
	devices map[string]initiator.Device // by target name
	naa     map[string]string
	next    int
}

func newFakeInitiator() *fakeInitiator {
	return &fakeInitiator{devices: map[string]initiator.Device{}, naa: map[string]string{}}
}

func (f *fakeInitiator) Attach(_ context.Context, t initiator.Target) (initiator.Device, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if d, ok := f.devices[t.IQN]; ok {
		return d, nil
	}
	f.next++
	d := initiator.Device{
		Name: fmt.Sprintf("sd%d", f.next), Path: fmt.Sprintf("/dev/sd%d", f.next),
		Number: fmt.Sprintf("8:%d", f.next), SizeBytes: t.SizeBytes,
	}
	f.devices[t.IQN], f.naa[t.IQN] = d, t.NAA
	return d, nil
}

func (f *fakeInitiator) Find(_ context.Context, t initiator.Target) (initiator.Device, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if d, ok := f.devices[t.IQN]; ok {
		return d, nil
	}
	return initiator.Device{}, fmt.Errorf("target %s: %w", t.IQN, initiator.ErrNotFound)
}

func (f *fakeInitiator) Resize(_ context.Context, t initiator.Target) (initiator.Device, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d, ok := f.devices[t.IQN]
	if !ok {
		return initiator.Device{}, fmt.Errorf("target %s: %w", t.IQN, initiator.ErrNotFound)
	}
	d.SizeBytes = max(d.SizeBytes, t.SizeBytes)
	f.devices[t.IQN] = d
	return d, nil
}

func (f *fakeInitiator) Daemon(context.Context) error { return nil }

func (f *fakeInitiator) Sever(context.Context, string) error { return nil }

func (f *fakeInitiator) Unqueue(context.Context, string) error { return nil }

func (f *fakeInitiator) Detach(_ context.Context, iqn, _ string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.devices, iqn)
	delete(f.naa, iqn)
	return nil
}

func (f *fakeInitiator) Owner(_ context.Context, number string) (initiator.Owner, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for iqn, d := range f.devices {
		if d.Number == number {
			return initiator.Owner{IQN: iqn, NAA: f.naa[iqn]}, nil
		}
	}
	return initiator.Owner{}, fmt.Errorf("device %s: %w", number, initiator.ErrNotFound)
}

func (f *fakeInitiator) Mapping(_ context.Context, iqn string) (initiator.Mapping, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if d, ok := f.devices[iqn]; ok {
		return initiator.Mapping{Sessions: 1, Devices: []initiator.Device{d}}, nil
	}
	return initiator.Mapping{}, nil
}

// attached are the targets that are logged in to.
func (f *fakeInitiator) attached() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.devices))
}
