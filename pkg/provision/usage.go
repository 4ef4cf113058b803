package provision

import (
	"context"
	"sync"

	"k8s.io/klog/v2"

	"github.com/san-csi/san-csi/pkg/placement"
	"github.com/san-csi/san-csi/pkg/san"
)

// Used is a volume, where it is, and what it does at present.
type Used struct {
	Array  string
	Volume san.Volume
	Usage  san.Usage
}

// Usage is what this cluster's volumes do. An array that does not answer in
// time is left out.
func (f *Flows) Usage(ctx context.Context) []Used {
	members := f.fleet.Members()
	found := make([][]Used, len(members))
	var asking sync.WaitGroup
	for i, m := range members {
		asking.Go(func() {
			var err error
			if found[i], err = usageOn(ctx, m); err != nil {
				klog.FromContext(ctx).Error(err, "the volumes' usage is not known", "array", m.Name)
			}
		})
	}
	asking.Wait()
	var all []Used
	for _, some := range found {
		all = append(all, some...)
	}
	return all
}

func usageOn(ctx context.Context, m placement.Member) ([]Used, error) {
	volumes, _, err := m.Array.List(ctx, "", 0)
	if err != nil {
		return nil, err
	}
	numbers := make([]int64, len(volumes))
	for i, v := range volumes {
		numbers[i] = v.Handle.Volume
	}
	usage, err := m.Array.Usage(ctx, numbers)
	if err != nil {
		return nil, err
	}
	used := make([]Used, len(volumes))
	for i, v := range volumes {
		used[i] = Used{Array: m.Name, Volume: v, Usage: usage[v.Handle.Volume]}
	}
	return used, nil
}
