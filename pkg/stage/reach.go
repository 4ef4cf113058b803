package stage

import (
	"context"
	"net"
	"slices"
	"sync"
	"time"
)

// Reach connects to a portal, host:port, and lets go again.
type Reach func(ctx context.Context, portal string) error

func dial(ctx context.Context, portal string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", portal)
	if err != nil {
		return err
	}
	return conn.Close()
}

// reachTimeout bounds one try: a SYN and two retransmissions.
const reachTimeout = 5 * time.Second

// portals tries each portal of the staged volumes, all at once, and tells of
// those that are newly out of reach. A volume is not judged by it: its session
// may be with another address of the array.
func (s *Stager) portals(ctx context.Context, staged []*record) map[string]bool {
	var all []string
	for _, r := range staged {
		all = append(all, r.Target.Portals...)
	}
	slices.Sort(all)
	all = slices.Compact(all)
	failures := make([]error, len(all))
	trying, stop := context.WithTimeout(ctx, reachTimeout)
	defer stop()
	var tries sync.WaitGroup
	for n, portal := range all {
		tries.Go(func() { failures[n] = s.reach(trying, portal) })
	}
	tries.Wait()
	reached := map[string]bool{}
	if ctx.Err() != nil {
		return reached // the process ends
	}
	for n, portal := range all {
		reached[portal] = failures[n] == nil
		if s.seen.first("portal "+portal, failures[n] != nil) {
			s.report(ctx, Finding{Act: ActPortal, Message: "portal " + portal + " is not reached from this node", Err: failures[n]})
		}
	}
	return reached
}
