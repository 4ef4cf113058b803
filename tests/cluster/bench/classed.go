package main

import (
	"context"
	"encoding/json"

	"github.com/san-csi/san-csi/pkg/element"
	"github.com/san-csi/san-csi/tests/cluster"
)

// classed counts the volumes on the array that name the claims' class: in a burst the
// driver could not have asked Kubernetes for it in time.
func (b *bench) classed(ctx context.Context) (n int, err error) {
	volumes, err := b.Lab.Element.ListVolumes(ctx, element.ListVolumesRequest{})
	if err != nil {
		return 0, err
	}
	for _, v := range volumes {
		var class string
		if json.Unmarshal(v.Attributes["san-csi.class"], &class) == nil && class == cluster.NowClass {
			n++
		}
	}
	return n, nil
}
