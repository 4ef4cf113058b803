package scsi

import "testing"

// What each type of reservation lets whom do (SPC-4 §5.12.1).
func TestPersistentReservationsDenyAccess(t *testing.T) {
	const r, w, rw = "r", "w", "rw"
	for _, tt := range []struct {
		kind                         byte
		holder, registrant, stranger string
	}{
		{1, rw, r, r},
		{3, rw, "", ""},
		{5, rw, rw, r},
		{6, rw, rw, ""},
		{7, rw, rw, r},
		{8, rw, rw, ""},
	} {
		s := newSeveral(t)
		s.steps(step{'a', reg, 0, 0, 1, 0}, step{'b', reg, 0, 0, 2, 0}, step{'a', res, tt.kind, 1, 0, 0})
		for name, want := range map[byte]string{'a': tt.holder, 'b': tt.registrant, 'c': tt.stranger} {
			got := ""
			if code(send(s.nexus[name], 0, nil, 0x28, 0, 0, 0, 0, 0, 0, 0, 1)) == 0 {
				got += r
			}
			if code(send(s.nexus[name], 0, block(1), 0x2a, 0, 0, 0, 0, 0, 0, 0, 1)) == 0 {
				got += w
			}
			if got != want {
				t.Errorf("type %d: %c may %q, want %q", tt.kind, name, got, want)
			}
		}
	}
}

// Each command in the presence of a reservation of another: under write
// exclusive, under exclusive access, under RESERVE.
func TestCommandsUnderReservationsOfOthers(t *testing.T) {
	conflicts := func(s *several) map[[2]int]bool {
		found := map[[2]int]bool{}
		for _, op := range s.lun.commands.rows {
			var c Command
			cdb := [16]byte{op.opcode()}
			if op.service {
				cdb[1] = byte(op.action())
			}
			s.nexus['b'].Prepare(&c, 0, cdb)
			found[[2]int{int(op.opcode()), op.action()}] = c.barred
		}
		return found
	}
	under := map[string]map[[2]int]bool{}
	for name, first := range map[string][]step{"we": {{'a', res, 1, 1, 0, 0}}, "ea": {{'a', res, 3, 1, 0, 0}}} {
		s := newSeveral(t)
		s.steps(step{'a', reg, 0, 0, 1, 0})
		s.steps(first...)
		under[name] = conflicts(s)
	}
	s := newSeveral(t)
	send(s.nexus['a'], 0, nil, 0x16)
	under["reserve"] = conflicts(s)
	for _, tt := range []struct {
		name            string
		opcode, action  int
		we, ea, reserve bool
	}{
		{"TEST UNIT READY", 0x00, -1, false, false, true},
		{"REQUEST SENSE", 0x03, -1, false, false, false},
		{"INQUIRY", 0x12, -1, false, false, false},
		{"RESERVE (6)", 0x16, -1, false, false, true}, // its own rules
		{"RELEASE (6)", 0x17, -1, false, false, false},
		{"MODE SELECT (6)", 0x15, -1, true, true, true},
		{"MODE SENSE (6)", 0x1a, -1, false, true, true},
		{"START STOP UNIT", 0x1b, -1, false, false, true},
		{"READ CAPACITY (10)", 0x25, -1, false, false, true},
		{"READ CAPACITY (16)", 0x9e, 0x10, false, false, true},
		{"GET LBA STATUS", 0x9e, 0x12, false, true, true},
		{"READ (16)", 0x88, -1, false, true, true},
		{"VERIFY (10)", 0x2f, -1, false, true, true},
		{"PRE-FETCH (10)", 0x34, -1, false, true, true},
		{"SYNCHRONIZE CACHE (10)", 0x35, -1, true, true, true},
		{"WRITE (6)", 0x0a, -1, true, true, true},
		{"WRITE AND VERIFY (16)", 0x8e, -1, true, true, true},
		{"COMPARE AND WRITE", 0x89, -1, true, true, true},
		{"ORWRITE", 0x8b, -1, true, true, true},
		{"WRITE SAME (16)", 0x93, -1, true, true, true},
		{"UNMAP", 0x42, -1, true, true, true},
		{"PERSISTENT RESERVE IN", 0x5e, 0, false, false, true},
		{"PERSISTENT RESERVE OUT", 0x5f, 0, false, false, true},
		{"REPORT LUNS", 0xa0, -1, false, false, false},
		{"REPORT SUPPORTED OPERATION CODES", 0xa3, 0x0c, false, true, true},
	} {
		at := [2]int{tt.opcode, tt.action}
		if under["we"][at] != tt.we || under["ea"][at] != tt.ea || under["reserve"][at] != tt.reserve {
			t.Errorf("%s: conflicts %v, %v, %v, want %v, %v, %v", tt.name,
				under["we"][at], under["ea"][at], under["reserve"][at], tt.we, tt.ea, tt.reserve)
		}
	}
}

func TestReserveAndRelease(t *testing.T) {
	reserve, release := []byte{0x16}, []byte{0x57}
	type order struct {
		name byte
		cdb  []byte
		want uint32
	}
	ready := func(name byte, want uint32) order { return order{name, []byte{0x00}, want} }
	for _, tt := range []struct {
		name   string
		first  []step
		orders []order
	}{
		{"held", nil, []order{{'a', reserve, 0}, {'a', reserve, 0}, {'b', reserve, reservationConflict}, ready('a', 0), ready('b', reservationConflict)}},
		{"released", nil, []order{{'a', reserve, 0}, {'a', release, 0}, ready('b', 0)}},
		{"release of another's", nil, []order{{'a', reserve, 0}, {'b', release, 0}, ready('b', reservationConflict)}},
		{"keeps even its holder from persistent ones", nil, []order{{'a', reserve, 0}, {'a', []byte{0x5e, 0, 0, 0, 0, 0, 0, 0, 8}, reservationConflict}}},
		{"not beside registrations", []step{{'a', reg, 0, 0, 1, 0}}, []order{{'a', reserve, reservationConflict}, {'b', release, reservationConflict}}},
		{"nothing to do for a holder", []step{{'a', reg, 0, 0, 1, 0}, {'a', res, 3, 1, 0, 0}}, []order{{'a', reserve, 0}, {'a', release, 0}, {'b', reserve, reservationConflict}}},
		{"nor for a registrant", []step{{'a', reg, 0, 0, 1, 0}, {'b', reg, 0, 0, 2, 0}, {'a', res, 5, 1, 0, 0}}, []order{{'b', reserve, 0}, ready('c', 0)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSeveral(t)
			s.steps(tt.first...)
			for i, o := range tt.orders {
				if got := code(send(s.nexus[o.name], 0, nil, o.cdb...)); got != o.want {
					t.Errorf("%d: %c, opcode %02x: %06x, want %06x", i, o.name, o.cdb[0], got, o.want)
				}
			}
		})
	}
}

func TestReserveEndsWithSessionAndReset(t *testing.T) {
	for name, end := range map[string]func(*several){
		"logout": func(s *several) { s.nexus['a'].Detach() },
		"reset":  func(s *several) { s.lun.Reset() },
	} {
		s := newSeveral(t)
		send(s.nexus['a'], 0, nil, 0x56)
		end(s)
		s.attentions('b')
		if got := code(send(s.nexus['b'], 0, nil, 0x00)); got != 0 {
			t.Errorf("%s: %06x", name, got)
		}
	}
}
