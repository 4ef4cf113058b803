package scsi

import "testing"

// Whatever an initiator sends is answered, within the bounds that Prepare told.
func FuzzCommand(f *testing.F) {
	for _, op := range operations() {
		cdb := make([]byte, 16)
		cdb[0] = op.opcode()
		if op.service {
			cdb[1] = byte(op.action())
		}
		for _, length := range []int{4, 8, 13} {
			cdb[length] = 24
			f.Add(cdb, make([]byte, 24))
		}
	}
	f.Add([]byte{0x83, 13: 76}, copyParameterList(1, 0, copyTarget(testNAA, 512), copySegmentBytes(0, 0, 3, 10, 50)))
	f.Add([]byte{0x5f, 7, 8: 60}, append(make([]byte, 24), port('a').transportID()...))
	f.Fuzz(func(t *testing.T, raw, out []byte) {
		n, _ := ready(t, 512)
		var cdb [16]byte
		copy(cdb[:], raw)
		var c Command
		n.Prepare(&c, 0, cdb)
		if c.DataIn < 0 || c.DataIn > 2*MaxTransfer || c.DataOut < 0 || c.Media < 0 {
			t.Fatalf("% x: %d bytes in, %d out, %d of the medium", cdb, c.DataIn, c.DataOut, c.Media)
		}
		c.Offered = len(out)
		out = out[:min(len(out), c.DataOut)]
		c.Received(out)
		r := c.Run(make([]byte, c.DataIn), out)
		if r.Status == StatusCheckCondition && len(r.Sense) != 18 {
			t.Errorf("% x: %d bytes of sense data", cdb, len(r.Sense))
		}
		if n.lun.disk.Size() != 64<<10 {
			t.Error("the size changed")
		}
	})
}
