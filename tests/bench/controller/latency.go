package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// latency is how long creates took on both arrays, in pairs.
type latency struct{ empty, full []time.Duration }

// ratio is the median of the pairs' ratios: the two of a pair were made one
// right after the other, on a machine as busy with other things.
func (l latency) ratio() float64 {
	ratios := make([]float64, len(l.full))
	for i := range ratios {
		ratios[i] = float64(l.full[i]) / float64(l.empty[i])
	}
	return median(ratios)
}

// timeCreates makes volumes on both arrays in turns, and deletes each at once.
func (r *report) timeCreates(ctx context.Context, b *bench) error {
	warm := r.pairs / 10
	for n := range warm + r.pairs {
		order := []string{empty, full}
		if n%2 == 1 {
			slices.Reverse(order)
		}
		took := map[string]time.Duration{}
		for _, array := range order {
			began := time.Now()
			id, err := create(ctx, b.direct, array, fmt.Sprintf("pvc-timed-%d", n))
			took[array] = time.Since(began)
			if err != nil {
				return err
			}
			if err := remove(ctx, b.direct, id); err != nil {
				return err
			}
		}
		if n >= warm {
			r.latency.empty, r.latency.full = append(r.latency.empty, took[empty]), append(r.latency.full, took[full])
		}
	}
	return nil
}

func median[N ~int | ~int64 | ~float64](of []N) N {
	sorted := slices.Sorted(slices.Values(of))
	return sorted[len(sorted)/2]
}
