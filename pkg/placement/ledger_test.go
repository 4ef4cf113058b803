package placement

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/san"
)

// shelf is what a ledger reads: an array's volumes as they are said to be.
type shelf struct {
	mu       sync.Mutex // of promises, where they change while others read
	capacity san.Capacity
	promises []san.Promise
	err      error
	during   func() // what happens while it is read
}

func (s *shelf) Capacity(context.Context) (san.Capacity, error) { return s.capacity, s.err }

func (s *shelf) Promises(context.Context) ([]san.Promise, error) {
	s.mu.Lock()
	read := slices.Clone(s.promises)
	s.mu.Unlock()
	if s.during != nil {
		s.during()
	}
	return read, s.err
}

// put changes what is there.
func (s *shelf) put(promises []san.Promise) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.promises = promises
}

// floors are volumes of 1 byte, handed out by the cluster of that name, with
// these floors, numbered from first on.
func floors(cluster string, first int64, iops ...int64) []san.Promise {
	var all []san.Promise
	for i, n := range iops {
		id := first + int64(i)
		all = append(all, san.Promise{Volume: id, Owner: san.Owner{Cluster: cluster}, Name: fmt.Sprintf("pvc-%d", id),
			SizeBytes: 1, QoS: qos.Values{Min: n}, Claimed: true})
	}
	return all
}

func volume(id int64, name string, iops int64) *san.Volume {
	return &san.Volume{Handle: san.Handle{Array: "3eeu", Volume: id}, Name: name, SizeBytes: 1, QoS: qos.Values{Min: iops}}
}

// opened is the ledger of an array of 1000 IOPS and 1000 bytes, read once.
func opened(t *testing.T, s *shelf, b Budget) *Ledger {
	t.Helper()
	s.capacity = san.Capacity{BoundBytes: 1000, BlockBytes: 100, MaxIOPS: 1000}
	l := newLedger("a", "east", b, s)
	if err := l.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *Ledger) wants(t *testing.T, when string, iops int64) {
	t.Helper()
	if got := l.standing().Promised.IOPS; got != iops {
		t.Errorf("%s: %d IOPS are promised, want %d", when, got, iops)
	}
}

func create(t *testing.T, l *Ledger, name string, iops int64) *Hold {
	t.Helper()
	h, err := l.Create(name, Load{IOPS: iops, Bytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func resync(t *testing.T, l *Ledger) {
	t.Helper()
	if err := l.Resync(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestBound(t *testing.T) {
	said := san.Capacity{BoundBytes: 1000, BlockBytes: 100, MaxIOPS: 5000}
	for name, tc := range map[string]struct {
		budget Budget
		want   Load
	}{
		"as the array tells it":       {Budget{}, Load{5000, 1000}},
		"a share of it":               {Budget{CapacityIOPS: 3000}, Load{3000, 1000}},
		"more than it has":            {Budget{CapacityIOPS: 3000, IOPSOvercommit: 1.5, BytesOvercommit: 3}, Load{4500, 300}},
		"less than it has":            {Budget{IOPSOvercommit: 0.5}, Load{2500, 1000}},
		"never past the array's own":  {Budget{BytesOvercommit: 1e300}, Load{5000, 1000}},
		"not past the largest number": {Budget{CapacityIOPS: 1 << 62, IOPSOvercommit: 4}, Load{1<<63 - 1, 1000}},
		"to the last IOPS":            {Budget{CapacityIOPS: 1<<62 + 1}, Load{1<<62 + 1, 1000}},
	} {
		if got := tc.budget.bound(said); got != tc.want {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
}

// TestWhatCounts: everything on the array does, but for the floors that another
// cluster answers for.
func TestWhatCounts(t *testing.T) {
	deleted := floors("east", 20, 100)
	deleted[0].Deleted = true
	stray := floors("east", 30, 100)
	stray[0].Claimed = false
	for name, tc := range map[string]struct {
		promises []san.Promise
		budget   Budget
		want     Load
	}{
		"own":                               {floors("east", 1, 100, 200), Budget{}, Load{300, 2}},
		"made by hand":                      {floors("", 1, 100, 200), Budget{}, Load{300, 2}},
		"another cluster's":                 {floors("west", 1, 100, 200), Budget{}, Load{300, 2}},
		"in the recycle bin":                {deleted, Budget{}, Load{100, 1}},
		"never handed out":                  {stray, Budget{}, Load{100, 1}},
		"made by hand, of a share":          {floors("", 1, 100, 200), Budget{CapacityIOPS: 500}, Load{300, 2}},
		"another cluster's, of a share":     {floors("west", 1, 100, 200), Budget{CapacityIOPS: 500}, Load{0, 2}},
		"all of them, of the array":         {append(append(floors("east", 1, 100), floors("west", 2, 100)...), deleted...), Budget{}, Load{300, 3}},
		"two of one name, never handed out": {append(stray, san.Promise{Volume: 31, Owner: stray[0].Owner, Name: stray[0].Name, SizeBytes: 1, QoS: stray[0].QoS}), Budget{}, Load{200, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			l := opened(t, &shelf{promises: tc.promises}, tc.budget)
			if got := l.standing().Promised; got != tc.want {
				t.Errorf("%+v is promised, want %+v", got, tc.want)
			}
		})
	}
}

func TestAdmission(t *testing.T) {
	for name, tc := range map[string]struct {
		want Load
		says []string // "" = admitted
	}{
		"the last of it":    {Load{300, 998}, nil},
		"1 IOPS too many":   {Load{301, 1}, []string{`array "a"`, "301 IOPS", "700 of 1000 IOPS"}},
		"1 byte too many":   {Load{1, 999}, []string{`array "a"`, "999 bytes", "2 of 1000 bytes"}},
		"much too many":     {Load{1 << 60, 1}, []string{"1152921504606846976 IOPS"}},
		"as much as it has": {Load{1000, 1}, []string{"1000 IOPS", "700 of 1000"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := opened(t, &shelf{promises: floors("east", 1, 300, 400)}, Budget{})
			_, err := l.Create("pvc-new", tc.want)
			if tc.says == nil {
				if err != nil {
					t.Fatal(err)
				}
				l.wants(t, "admitted", 700+tc.want.IOPS)
				return
			}
			if !errors.Is(err, san.ErrExhausted) {
				t.Fatalf("got %v, want it refused", err)
			}
			for _, part := range tc.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
			l.wants(t, "refused", 700)
		})
	}
}

// TestSettle: what a call leaves promised, by how it ended.
func TestSettle(t *testing.T) {
	lost := fmt.Errorf("no answer: %w", san.ErrUnavailable)
	no := fmt.Errorf("no: %w", san.ErrInvalid)
	for name, tc := range map[string]struct {
		ends []error // one call after another
		want int64
	}{
		"made":                            {[]error{nil}, 100},
		"refused":                         {[]error{no}, 0},
		"not known":                       {[]error{lost}, 100},
		"a deadline":                      {[]error{context.DeadlineExceeded}, 100},
		"not known, then made":            {[]error{lost, nil}, 100},
		"not known, then refused":         {[]error{lost, no}, 100},
		"refused, then made":              {[]error{no, nil}, 100},
		"made, then asked for once more":  {[]error{nil, nil}, 100},
		"made, then the answer is lost":   {[]error{nil, lost}, 100},
		"not known again and again":       {[]error{lost, lost, lost}, 100},
		"not known, made, the other size": {[]error{lost, nil, san.ErrExists}, 100},
	} {
		t.Run(name, func(t *testing.T) {
			l := opened(t, &shelf{}, Budget{})
			made := false
			for _, end := range tc.ends {
				var h *Hold
				if made {
					h = l.Repeat("pvc-1")
				} else {
					h = create(t, l, "pvc-1", 100)
				}
				l.wants(t, "on its way", 100)
				made = made || end == nil
				h.Settle(volume(1, "pvc-1", 100), end)
			}
			l.wants(t, "settled", tc.want)
			if l.MayHave("pvc-1") != (tc.want > 0) {
				t.Errorf("a volume of the name may be there: %t", l.MayHave("pvc-1"))
			}
		})
	}
}

func TestChange(t *testing.T) {
	lost := fmt.Errorf("no answer: %w", san.ErrUnavailable)
	for name, tc := range map[string]struct {
		want    int64
		end     error
		during  int64
		after   int64
		refused bool
	}{
		"up":                {300, nil, 300, 300, false},
		"down":              {50, nil, 100, 50, false},
		"past the budget":   {1001, nil, 100, 100, true},
		"up, refused":       {300, san.ErrInvalid, 300, 100, false},
		"up, not known":     {300, lost, 300, 300, false},
		"down, not known":   {50, lost, 100, 100, false},
		"to what it has":    {100, nil, 100, 100, false},
		"all that there is": {1000, nil, 1000, 1000, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := opened(t, &shelf{promises: floors("east", 1, 100)}, Budget{})
			h, err := l.Change(volume(1, "pvc-1", 100), Load{IOPS: tc.want, Bytes: 1})
			if (err != nil) != tc.refused {
				t.Fatal(err)
			}
			l.wants(t, "on its way", tc.during)
			if err == nil {
				h.Settle(volume(1, "pvc-1", tc.want), tc.end)
			}
			l.wants(t, "settled", tc.after)
		})
	}
}

// TestStray: what a call that was cut off has made takes room; the retry has it
// only where that room may be promised.
func TestStray(t *testing.T) {
	for name, tc := range map[string]struct {
		iops int64
		want error
	}{
		"it fits":                {300, nil},
		"it landed past the end": {301, san.ErrExhausted},
	} {
		t.Run(name, func(t *testing.T) {
			stray := floors("east", 2, tc.iops)
			stray[0].Claimed = false
			l := opened(t, &shelf{promises: append(floors("east", 1, 700), stray...)}, Budget{})
			_, err := l.Create(stray[0].Name, Load{IOPS: tc.iops, Bytes: 1})
			if !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
			l.wants(t, "whether it is had or not", 700+tc.iops)
		})
	}
}

// TestOverrun: what others have promised past the budget keeps nobody from
// asking for less.
func TestOverrun(t *testing.T) {
	l := opened(t, &shelf{promises: append(floors("east", 1, 100), floors("", 2, 1000)...)}, Budget{})
	if s := l.standing(); !s.Overrun() || s.Headroom().IOPS != -100 {
		t.Errorf("standing %+v, want an overrun of 100", s)
	}
	if _, err := l.Change(volume(1, "pvc-1", 100), Load{IOPS: 101, Bytes: 1}); !errors.Is(err, san.ErrExhausted) {
		t.Errorf("a higher floor: %v", err)
	}
	h, err := l.Change(volume(1, "pvc-1", 100), Load{IOPS: 60, Bytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	h.Settle(volume(1, "pvc-1", 60), nil)
	if room, err := l.Room(t.Context()); err != nil || room.IOPS != 0 {
		t.Errorf("room %+v, %v", room, err)
	}
}

// TestReadingBesideCalls: what own calls do while the array is read counts once,
// whatever the reading says of it.
func TestReadingBesideCalls(t *testing.T) {
	landed := floors("east", 7, 100)
	pending := floors("east", 7, 100)
	pending[0].Claimed = false
	for name, tc := range map[string]struct {
		read   []san.Promise // by the reading
		during func(t *testing.T, l *Ledger, h *Hold)
		want   int64
	}{
		"on its way, not there yet":     {nil, nil, 100},
		"on its way, there":             {landed, nil, 100},
		"on its way, not claimed":       {pending, nil, 100},
		"made meanwhile, not read":      {nil, func(_ *testing.T, _ *Ledger, h *Hold) { h.Settle(volume(7, "pvc-7", 100), nil) }, 100},
		"made meanwhile, read pending":  {pending, func(_ *testing.T, _ *Ledger, h *Hold) { h.Settle(volume(7, "pvc-7", 100), nil) }, 100},
		"made meanwhile, read":          {landed, func(_ *testing.T, _ *Ledger, h *Hold) { h.Settle(volume(7, "pvc-7", 100), nil) }, 100},
		"refused meanwhile":             {nil, func(_ *testing.T, _ *Ledger, h *Hold) { h.Settle(nil, san.ErrInvalid) }, 0},
		"its outcome unknown, there":    {landed, func(_ *testing.T, _ *Ledger, h *Hold) { h.Settle(nil, san.ErrUnavailable) }, 100},
		"made and deleted, still read":  {landed, madeAndDeleted, 0},
		"made and raised, read as made": {landed, madeAndRaised, 300},
	} {
		t.Run(name, func(t *testing.T) {
			s := &shelf{}
			l := opened(t, s, Budget{})
			h := create(t, l, "pvc-7", 100)
			s.promises, s.during = tc.read, func() {
				if tc.during != nil {
					tc.during(t, l, h)
				}
			}
			resync(t, l)
			l.wants(t, "after the reading", tc.want)
			if tc.during == nil {
				h.Settle(volume(7, "pvc-7", 100), nil)
				l.wants(t, "settled", 100)
				resync(t, l)
			}
		})
	}
}

func madeAndDeleted(_ *testing.T, l *Ledger, h *Hold) {
	h.Settle(volume(7, "pvc-7", 100), nil)
	l.Gone(7)
}

func madeAndRaised(t *testing.T, l *Ledger, h *Hold) {
	h.Settle(volume(7, "pvc-7", 100), nil)
	change, err := l.Change(volume(7, "pvc-7", 100), Load{IOPS: 300, Bytes: 1})
	if err != nil {
		t.Fatal(err)
	}
	change.Settle(volume(7, "pvc-7", 300), nil)
}

// TestLateCalls: room for a call of unknown outcome is kept until the array can
// no longer carry it out, and counts once if it does.
func TestLateCalls(t *testing.T) {
	for name, lands := range map[string]bool{"it lands": true, "it never lands": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &shelf{}
				l := opened(t, s, Budget{})
				create(t, l, "pvc-1", 100).Settle(nil, context.DeadlineExceeded)
				time.Sleep(lateness - time.Second)
				if lands {
					s.promises = floors("east", 1, 100)
				}
				resync(t, l)
				l.wants(t, "while it may land", 100)
				time.Sleep(2 * time.Second)
				resync(t, l)
				want := int64(0)
				if lands {
					want = 100
				}
				l.wants(t, "when it no longer may", want)
				if l.MayHave("pvc-1") != lands {
					t.Error("it is not known whether the volume is there")
				}
			})
		})
	}
}

// TestDown: an array that does not answer has no room, and keeps what it has
// promised.
func TestDown(t *testing.T) {
	s := &shelf{promises: floors("east", 1, 100)}
	l := opened(t, s, Budget{})
	s.err = fmt.Errorf("no route: %w", san.ErrUnavailable)
	if err := l.Resync(t.Context()); !errors.Is(err, san.ErrUnavailable) {
		t.Fatal(err)
	}
	l.wants(t, "down", 100)
	if _, err := l.Room(t.Context()); !errors.Is(err, san.ErrUnavailable) || l.standing().Up {
		t.Errorf("room of an array that is down: %v", err)
	}
	s.err = nil
	resync(t, l)
	if room, err := l.Room(t.Context()); err != nil || room.IOPS != 900 || !l.standing().Up {
		t.Errorf("room %+v, %v when it is back", room, err)
	}
	fresh := newLedger("b", "east", Budget{}, &shelf{err: san.ErrUnavailable})
	if err := fresh.Ready(t.Context()); !errors.Is(err, san.ErrUnavailable) || !fresh.MayHave("pvc-1") {
		t.Errorf("an array never read: %v, may have the volume: %t", err, fresh.MayHave("pvc-1"))
	}
}
