package scsi

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
)

const (
	reservationConflict = 0x18000000
	listLength          = 0x051a00
)

// shelf is a Keeper in memory.
type shelf struct {
	state []byte
	saves int
	err   error
}

func (s *shelf) Load() ([]byte, error) { return s.state, s.err }

func (s *shelf) Save(state []byte) error {
	if s.err != nil {
		return s.err
	}
	s.state = bytes.Clone(state)
	s.saves++
	return nil
}

// several is one LUN with the initiator ports a, b and c.
type several struct {
	t     *testing.T
	lun   *LUN
	shelf *shelf
	nexus map[byte]*Nexus
	tasks map[byte]*tasks
}

func port(name byte) InitiatorPort {
	return InitiatorPort{Name: "iqn.2001-01.com.example:" + string(name), ISID: 0x23d000000}
}

func newSeveral(t *testing.T) *several {
	t.Helper()
	s := &several{t: t, shelf: &shelf{}}
	s.start()
	return s
}

// start makes the LUN anew, as a restart of the array does.
func (s *several) start() {
	s.t.Helper()
	s.lun = NewLUN(&memory{b: make([]byte, 64<<10)}, Identity{EUI: testEUI, NAA: testNAA, BlockSize: 512})
	if err := s.lun.Keep(s.shelf); err != nil {
		s.t.Fatal(err)
	}
	s.nexus, s.tasks = map[byte]*Nexus{}, map[byte]*tasks{}
	for _, name := range []byte("abc") {
		s.login(name)
	}
}

func (s *several) login(name byte) {
	s.t.Helper()
	s.tasks[name] = &tasks{}
	s.nexus[name] = s.lun.Attach(port(name), s.tasks[name])
	s.attentions(name)
}

// attentions takes all unit attentions of a port, as "ASC/ASCQ".
func (s *several) attentions(name byte) string {
	var all []string
	for {
		ua, ok := s.nexus[name].takeAttention()
		if !ok {
			return strings.Join(all, " ")
		}
		all = append(all, fmt.Sprintf("%02x/%02x", ua.ASC, ua.ASCQ))
	}
}

// out is one PERSISTENT RESERVE OUT with a list of 24 bytes and what follows.
func (s *several) out(name, action, kind byte, key, newKey uint64, flags byte, more ...byte) uint32 {
	list := binary.BigEndian.AppendUint64(nil, key)
	list = binary.BigEndian.AppendUint64(list, newKey)
	list = append(list, 0, 0, 0, 0, flags, 0, 0, 0)
	list = append(list, more...)
	return s.outList(name, action, kind, list)
}

func (s *several) outList(name, action, kind byte, list []byte) uint32 {
	return code(send(s.nexus[name], 0, list, 0x5f, action, kind, 0, 0, 0, 0, 0, byte(len(list))))
}

// in is the data of a PERSISTENT RESERVE IN after its generation and length.
func (s *several) in(action byte) (generation uint32, list []byte) {
	s.t.Helper()
	r := send(s.nexus['a'], 0, nil, 0x5e, action, 0, 0, 0, 0, 0, 0xff, 0xff)
	if r.Status != StatusGood || int(binary.BigEndian.Uint32(r.Data[4:])) != len(r.Data)-8 {
		s.t.Fatalf("PERSISTENT RESERVE IN %d: %06x, %d bytes", action, code(r), len(r.Data))
	}
	return binary.BigEndian.Uint32(r.Data), r.Data[8:]
}

// state is all registrations, the holder's in brackets, and the type: "a=1 [b=2] 5".
func (s *several) state() string {
	s.t.Helper()
	_, list := s.in(0x03)
	var b strings.Builder
	kind := byte(0)
	for len(list) > 0 {
		n := 24 + int(binary.BigEndian.Uint32(list[20:]))
		p, rest, ok := parseTransportID(list[24:n])
		if !ok || len(rest) > 0 || list[19] != 1 {
			s.t.Fatalf("descriptor % x", list[:n])
		}
		format := "%c=%d "
		if list[12]&1 != 0 {
			format, kind = "[%c=%d] ", list[13]
		}
		fmt.Fprintf(&b, format, p.Name[len(p.Name)-1], binary.BigEndian.Uint64(list))
		list = list[n:]
	}
	fmt.Fprint(&b, kind)
	return b.String()
}

// step is a service action and what it shall end with.
type step struct {
	name, action, kind byte
	key, newKey        uint64
	want               uint32
}

func (s *several) steps(steps ...step) {
	s.t.Helper()
	for i, x := range steps {
		if got := s.out(x.name, x.action, x.kind, x.key, x.newKey, 0); got != x.want {
			s.t.Errorf("step %d, %c, action %d: %06x, want %06x", i, x.name, x.action, got, x.want)
		}
	}
}

const (
	reg, res, rel, clr = actionRegister, actionReserve, actionRelease, actionClear
	pre, preAbort, ign = actionPreempt, actionPreemptAbort, actionRegisterAndIgnore
)

func TestPersistentReserveOut(t *testing.T) {
	all := []step{{'a', reg, 0, 0, 1, 0}, {'b', reg, 0, 0, 2, 0}, {'c', reg, 0, 0, 3, 0}}
	for _, tt := range []struct {
		name   string
		steps  []step
		state  string
		a, b   string // unit attentions
		c      string
		counts uint32 // PRGENERATION
	}{
		{name: "register needs key 0 first", steps: []step{{'a', reg, 0, 1, 1, reservationConflict}}, state: "0"},
		{name: "register", steps: []step{{'a', reg, 0, 0, 1, 0}}, state: "a=1 0", counts: 1},
		{name: "key 0 of a stranger is no registration", steps: []step{{'a', reg, 0, 0, 0, 0}, {'b', ign, 0, 9, 0, 0}}, state: "0"},
		{name: "a key is changed with the old one", steps: []step{{'a', reg, 0, 0, 1, 0}, {'a', reg, 0, 2, 3, reservationConflict}, {'a', reg, 0, 1, 3, 0}}, state: "a=3 0", counts: 2},
		{name: "or without", steps: []step{{'a', ign, 0, 7, 1, 0}, {'a', ign, 0, 7, 3, 0}}, state: "a=3 0", counts: 2},
		{name: "unregister", steps: []step{{'a', reg, 0, 0, 1, 0}, {'a', reg, 0, 1, 0, 0}}, state: "0", counts: 2},
		{name: "only registrants reserve", steps: []step{{'a', res, 1, 0, 0, reservationConflict}, {'a', reg, 0, 0, 1, 0}, {'a', res, 1, 2, 0, reservationConflict}, {'a', res, 1, 1, 0, 0}}, state: "[a=1] 1", counts: 1},
		{name: "unknown type", steps: append(all[:1:1], step{'a', res, 2, 1, 0, invalidField}), state: "a=1 0", counts: 1},
		{name: "scope of an element", steps: append(all[:1:1], step{'a', res, 0x21, 1, 0, invalidField}), state: "a=1 0", counts: 1},
		{name: "reserve again", steps: append(all[:2:2], step{'a', res, 3, 1, 0, 0}, step{'a', res, 3, 1, 0, 0}, step{'a', res, 1, 1, 0, reservationConflict}, step{'b', res, 3, 2, 0, reservationConflict}), state: "[a=1] b=2 3", counts: 2},
		{name: "all registrants hold", steps: append(all[:2:2], step{'a', res, 7, 1, 0, 0}, step{'b', res, 7, 2, 0, 0}), state: "[a=1] [b=2] 7", counts: 2},
		{name: "release of another's is nothing", steps: append(all[:2:2], step{'a', res, 3, 1, 0, 0}, step{'b', rel, 3, 2, 0, 0}), state: "[a=1] b=2 3", counts: 2},
		{name: "release of the wrong type", steps: append(all[:2:2], step{'a', res, 3, 1, 0, 0}, step{'a', rel, 1, 1, 0, 0x052604}), state: "[a=1] b=2 3", counts: 2},
		{name: "release", steps: append(all[:2:2], step{'a', res, 3, 1, 0, 0}, step{'a', rel, 3, 1, 0, 0}), state: "a=1 b=2 0", counts: 2},
		{name: "release tells registrants who shared", steps: append(all[:3:3], step{'a', res, 5, 1, 0, 0}, step{'a', rel, 5, 1, 0, 0}), state: "a=1 b=2 c=3 0", b: "2a/04", c: "2a/04", counts: 3},
		{name: "the holder unregisters", steps: append(all[:2:2], step{'a', res, 6, 1, 0, 0}, step{'a', reg, 0, 1, 0, 0}), state: "b=2 0", b: "2a/04", counts: 3},
		{name: "one of all holders unregisters", steps: append(all[:2:2], step{'a', res, 8, 1, 0, 0}, step{'a', reg, 0, 1, 0, 0}), state: "[b=2] 8", counts: 3},
		{name: "the last of all holders unregisters", steps: append(all[:1:1], step{'a', res, 8, 1, 0, 0}, step{'a', reg, 0, 1, 0, 0}), state: "0", counts: 2},
		{name: "clear", steps: append(all[:3:3], step{'a', res, 3, 1, 0, 0}, step{'b', clr, 0, 2, 0, 0}), state: "0", a: "2a/03", c: "2a/03", counts: 4},
		{name: "clear with a wrong key", steps: append(all[:1:1], step{'a', clr, 0, 2, 0, reservationConflict}), state: "a=1 0", counts: 1},
		{name: "preempt a registration", steps: append(all[:3:3], step{'a', pre, 0, 1, 3, 0}), state: "a=1 b=2 0", c: "2a/05", counts: 4},
		{name: "preempt an unknown key", steps: append(all[:2:2], step{'a', pre, 1, 1, 9, reservationConflict}), state: "a=1 b=2 0", counts: 2},
		{name: "preempt key 0", steps: append(all[:2:2], step{'a', res, 3, 1, 0, 0}, step{'b', pre, 1, 2, 0, invalidList}), state: "[a=1] b=2 3", counts: 2},
		{name: "preempt the holder", steps: append(all[:3:3], step{'a', res, 5, 1, 0, 0}, step{'b', pre, 6, 2, 1, 0}), state: "[b=2] c=3 6", a: "2a/05", c: "2a/04", counts: 4},
		{name: "preempt the holder, same type", steps: append(all[:3:3], step{'a', res, 5, 1, 0, 0}, step{'b', pre, 5, 2, 1, 0}), state: "[b=2] c=3 5", a: "2a/05", counts: 4},
		{name: "preempt with an unknown type", steps: append(all[:2:2], step{'a', res, 5, 1, 0, 0}, step{'b', pre, 4, 2, 1, invalidField}), state: "[a=1] b=2 5", counts: 2},
		{name: "preempt all holders", steps: append(all[:3:3], step{'a', res, 7, 1, 0, 0}, step{'b', pre, 3, 2, 0, 0}), state: "[b=2] 3", a: "2a/05", c: "2a/05", counts: 4},
		{name: "preempt one of all holders", steps: append(all[:3:3], step{'a', res, 7, 1, 0, 0}, step{'b', pre, 7, 2, 1, 0}), state: "[b=2] [c=3] 7", a: "2a/05", counts: 4},
		{name: "preempt one's own key", steps: append(all[:2:2], step{'b', ign, 0, 0, 1, 0}, step{'a', pre, 1, 1, 1, 0}), state: "0", b: "2a/05", counts: 4},
		{name: "the holder changes the type", steps: append(all[:2:2], step{'a', res, 1, 1, 0, 0}, step{'a', pre, 5, 1, 1, 0}), state: "[a=1] b=2 5", b: "2a/04", counts: 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSeveral(t)
			s.steps(tt.steps...)
			a, b, c := s.attentions('a'), s.attentions('b'), s.attentions('c')
			if a != tt.a || b != tt.b || c != tt.c {
				t.Errorf("unit attentions %q, %q, %q, want %q, %q, %q", a, b, c, tt.a, tt.b, tt.c)
			}
			if got := s.state(); got != tt.state {
				t.Errorf("state %q, want %q", got, tt.state)
			}
			if got, _ := s.in(0x00); got != tt.counts {
				t.Errorf("generation %d, want %d", got, tt.counts)
			}
		})
	}
}

func TestPersistentReserveIn(t *testing.T) {
	s := newSeveral(t)
	s.steps(step{'a', reg, 0, 0, 0x11, 0}, step{'b', reg, 0, 0, 0x22, 0})
	if _, list := s.in(0x01); len(list) != 0 {
		t.Errorf("READ RESERVATION without one: % x", list)
	}
	s.steps(step{'b', res, 5, 0x22, 0, 0})
	if _, keys := s.in(0x00); fmt.Sprintf("%x", keys) != "00000000000000110000000000000022" {
		t.Errorf("READ KEYS: % x", keys)
	}
	if _, list := s.in(0x01); fmt.Sprintf("%x", list) != "00000000000000220000000000050000" {
		t.Errorf("READ RESERVATION: % x", list)
	}
	if r := send(s.nexus['a'], 0, nil, 0x5e, 0, 0, 0, 0, 0, 0, 0, 12); len(r.Data) != 12 || r.Data[7] != 16 {
		t.Errorf("READ KEYS of 12 bytes: % x", r.Data)
	}
	if r := send(s.nexus['a'], 0, nil, 0x5e, 2, 0, 0, 0, 0, 0, 0, 255); fmt.Sprintf("%x", r.Data) != "00081d90ea010000" {
		t.Errorf("REPORT CAPABILITIES: % x", r.Data)
	}
	if got := code(send(s.nexus['a'], 0, nil, 0x5e, 4, 0, 0, 0, 0, 0, 0, 255)); got != invalidField {
		t.Errorf("unknown service action: %06x", got)
	}
}

func TestSpecifiedPorts(t *testing.T) {
	both := append(port('b').transportID(), port('c').transportID()...)
	list := func(ids []byte) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(ids))), ids...) }
	const specI, allTG = 0x08, 0x04
	for _, tt := range []struct {
		name   string
		before []step
		action byte
		flags  byte
		more   []byte
		want   uint32
		state  string
	}{
		{name: "registered together", action: reg, flags: specI | allTG, more: list(both), state: "a=7 b=7 c=7 0"},
		{name: "one of them is known", before: []step{{'b', reg, 0, 0, 2, 0}}, action: reg, flags: specI, more: list(both), state: "b=2 a=7 c=7 0"},
		{name: "no others", action: reg, flags: specI, more: list(nil), state: "a=7 0"},
		{name: "by one that is registered", before: []step{{'a', ign, 0, 0, 0, 0}, {'a', reg, 0, 0, 1, 0}}, action: ign, flags: specI, more: list(both), want: invalidList, state: "a=1 0"},
		{name: "wrong length", action: reg, flags: specI, more: list(both)[:40], want: listLength, state: "0"},
		{name: "a device, no port", action: reg, flags: specI, more: list(append([]byte{5, 0, 0, 20}, make([]byte, 20)...)), want: invalidList, state: "0"},
		{name: "list without the bit", action: reg, more: list(both), want: listLength, state: "0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSeveral(t)
			s.steps(tt.before...)
			if got := s.out('a', tt.action, 0, 0, 7, tt.flags, tt.more...); got != tt.want {
				t.Errorf("%06x, want %06x", got, tt.want)
			}
			if got := s.state(); got != tt.state {
				t.Errorf("state %q, want %q", got, tt.state)
			}
		})
	}
}

func TestAllTargetPortsIsTold(t *testing.T) {
	s := newSeveral(t)
	s.out('a', reg, 0, 0, 1, 0x04)
	if _, list := s.in(0x03); list[12] != 0x02 {
		t.Errorf("flags %02x, want ALL_TG_PT", list[12])
	}
}

func TestRegisterAndMove(t *testing.T) {
	move := func(key, newKey uint64, flags byte, target uint16, to byte) []byte {
		id := port(to).transportID()
		b := binary.BigEndian.AppendUint64(nil, key)
		b = binary.BigEndian.AppendUint64(b, newKey)
		b = binary.BigEndian.AppendUint16(append(b, 0, flags), target)
		return append(binary.BigEndian.AppendUint32(b, uint32(len(id))), id...)
	}
	for _, tt := range []struct {
		name  string
		kind  byte
		from  byte
		list  []byte
		want  uint32
		state string
	}{
		{"moved", 1, 'a', move(1, 9, 0, 1, 'b'), 0, "a=1 [b=9] 1"},
		{"moved and unregistered", 5, 'a', move(1, 9, 2, 1, 'c'), 0, "b=2 [c=9] 5"},
		{"by one that does not hold", 1, 'b', move(2, 9, 0, 1, 'c'), reservationConflict, "[a=1] b=2 1"},
		{"of all registrants", 7, 'a', move(1, 9, 0, 1, 'b'), reservationConflict, "[a=1] [b=2] 7"},
		{"with a wrong key", 1, 'a', move(3, 9, 0, 1, 'b'), reservationConflict, "[a=1] b=2 1"},
		{"to key 0", 1, 'a', move(1, 0, 0, 1, 'b'), invalidList, "[a=1] b=2 1"},
		{"to another target port", 1, 'a', move(1, 9, 0, 2, 'b'), invalidList, "[a=1] b=2 1"},
		{"to itself", 1, 'a', move(1, 9, 0, 1, 'a'), invalidList, "[a=1] b=2 1"},
		{"cut off", 1, 'a', move(1, 9, 0, 1, 'b')[:40], listLength, "[a=1] b=2 1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSeveral(t)
			s.steps(step{'a', reg, 0, 0, 1, 0}, step{'b', reg, 0, 0, 2, 0}, step{'a', res, tt.kind, 1, 0, 0})
			if got := s.outList(tt.from, actionRegisterAndMove, 0, tt.list); got != tt.want {
				t.Errorf("%06x, want %06x", got, tt.want)
			}
			if got := s.state(); got != tt.state {
				t.Errorf("state %q, want %q", got, tt.state)
			}
		})
	}
}

func TestParameterListsThatAreRefused(t *testing.T) {
	s := newSeveral(t)
	for name, got := range map[string]uint32{
		"too short":      s.outList('a', reg, 0, make([]byte, 16)),
		"offers less":    code(send(s.nexus['a'], 0, make([]byte, 8), 0x5f, reg, 0, 0, 0, 0, 0, 0, 24)),
		"of megabytes":   code(send(s.nexus['a'], 0, nil, 0x5f, reg, 0, 0, 0, 0, 0xff, 0, 0)),
		"longer than 24": s.outList('a', reg, 0, make([]byte, 32)),
	} {
		if got != listLength {
			t.Errorf("%s: %06x, want %06x", name, got, listLength)
		}
	}
}

func TestRegistrationsAreBounded(t *testing.T) {
	s := newSeveral(t)
	var ids []byte
	for i := range 600 {
		ids = append(ids, InitiatorPort{"iqn.a", uint64(i)}.transportID()...)
	}
	list := append(binary.BigEndian.AppendUint64(make([]byte, 8), 1), 0, 0, 0, 0, 8, 0, 0, 0)
	list = append(binary.BigEndian.AppendUint32(list, uint32(len(ids))), ids...)
	register := func(name byte) uint32 {
		return code(send(s.nexus[name], 0, list, 0x5f, reg, 0, 0, 0, 0, byte(len(list)>>16), byte(len(list)>>8), byte(len(list))))
	}
	if got := register('a'); got != 0 {
		t.Fatalf("%06x", got)
	}
	for i := range 600 { // others than before
		copy(ids[28*i+4:], "iqn.b")
	}
	list = append(list[:28:28], ids...)
	if got := register('b'); got != 0x055504 {
		t.Errorf("%06x, want INSUFFICIENT REGISTRATION RESOURCES", got)
	}
	if _, keys := s.in(0x00); len(keys) != 601*8 {
		t.Errorf("%d registrations", len(keys)/8)
	}
}

func TestAPTPL(t *testing.T) {
	s := newSeveral(t)
	const aptpl = 0x01
	s.steps(step{'b', reg, 0, 0, 2, 0})
	if s.shelf.saves != 0 {
		t.Error("saved without APTPL")
	}
	s.out('a', reg, 0, 0, 1, aptpl)
	s.steps(step{'a', res, 5, 1, 0, 0})
	if r := send(s.nexus['a'], 0, nil, 0x5e, 2, 0, 0, 0, 0, 0, 0, 8); r.Data[3]&1 == 0 {
		t.Error("PTPL_A is not set")
	}
	s.start()
	if got := s.state(); got != "b=2 [a=1] 5" {
		t.Errorf("after a restart %q", got)
	}
	if got := code(send(s.nexus['c'], 0, block(1), 0x2a, 0, 0, 0, 0, 0, 0, 0, 1)); got != reservationConflict {
		t.Errorf("a stranger's write after a restart: %06x", got)
	}

	s.shelf.err = errors.New("broken")
	s.steps(step{'a', rel, 5, 1, 0, 0x044400})
	if got := s.state(); got != "b=2 [a=1] 5" {
		t.Errorf("what could not be saved is in force: %q", got)
	}
	s.shelf.err = nil
	s.steps(step{'b', reg, 0, 2, 4, 0}) // the last REGISTER has no APTPL
	s.start()
	if got := s.state(); got != "0" {
		t.Errorf("after a restart without APTPL %q", got)
	}
}

func TestAPTPLNeedsAKeeper(t *testing.T) {
	n, _ := ready(t, 512)
	list := make([]byte, 24)
	list[15], list[20] = 1, 1
	if got := code(send(n, 0, list, 0x5f, 0, 0, 0, 0, 0, 0, 0, 24)); got != invalidList {
		t.Errorf("%06x", got)
	}
	if r := send(n, 0, nil, 0x5e, 2, 0, 0, 0, 0, 0, 0, 8); r.Data[2]&1 != 0 {
		t.Error("PTPL_C is set")
	}
}

func TestReservationsThatCannotBeReadAreAnError(t *testing.T) {
	for name, s := range map[string]*shelf{"damaged": {state: []byte("{")}, "broken": {err: errors.New("broken")}} {
		if err := NewLUN(&memory{}, Identity{}).Keep(s); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestPreemptAndAbortEndsTheCommandsOfThePreempted(t *testing.T) {
	s := newSeveral(t)
	s.steps(step{'a', reg, 0, 0, 1, 0}, step{'b', reg, 0, 0, 2, 0}, step{'c', reg, 0, 0, 1, 0}, step{'b', pre, 0, 2, 9, reservationConflict})
	again := s.lun.Attach(port('a'), s.tasks['a']) // a second session of the same port
	defer again.Detach()
	s.steps(step{'b', preAbort, 0, 2, 1, 0})
	if s.tasks['a'].aborted != 2 || s.tasks['b'].aborted != 0 || s.tasks['c'].aborted != 1 {
		t.Errorf("aborted %d, %d, %d times", s.tasks['a'].aborted, s.tasks['b'].aborted, s.tasks['c'].aborted)
	}
}

func TestRegistrationsBelongToPorts(t *testing.T) {
	s := newSeveral(t)
	s.steps(step{'a', reg, 0, 0, 1, 0}, step{'a', res, 3, 1, 0, 0})
	s.nexus['a'].Detach()
	if got := code(send(s.nexus['b'], 0, nil, 0x28, 0, 0, 0, 0, 0, 0, 0, 1)); got != reservationConflict {
		t.Errorf("a stranger's read while the holder is away: %06x", got)
	}
	upper := port('a')
	upper.Name = strings.ToUpper(upper.Name)
	s.nexus['a'] = s.lun.Attach(upper, s.tasks['a'])
	s.attentions('a')
	if got := code(send(s.nexus['a'], 0, nil, 0x28, 0, 0, 0, 0, 0, 0, 0, 1)); got != 0 {
		t.Errorf("the holder's read after a login anew: %06x", got)
	}
	other := port('a')
	other.ISID++
	n := s.lun.Attach(other, &tasks{})
	n.takeAttention()
	if got := code(send(n, 0, nil, 0x28, 0, 0, 0, 0, 0, 0, 0, 1)); got != reservationConflict {
		t.Errorf("another port of the same initiator: %06x", got)
	}
	s.lun.Reset()
	if s.attentions('a'); s.state() != "[a=1] 3" {
		t.Error("a reset ended the persistent reservation")
	}
}
