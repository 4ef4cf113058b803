package iscsi

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	"github.com/san-csi/san-csi/pkg/softarray/scsi"
)

var digests = []pair{{"HeaderDigest", "CRC32C"}, {"DataDigest", "CRC32C"}}

// broken sends a PDU with digests of which one, as chosen, is wrong.
func (i *initiator) broken(h *header, data []byte, headerWrong, dataWrong bool) {
	i.t.Helper()
	h.setDataLen(len(data))
	sum := crc32.Checksum(h[:], castagnoli)
	if headerWrong {
		sum++
	}
	pdu := binary.LittleEndian.AppendUint32(bytes.Clone(h[:]), sum)
	if len(data) > 0 {
		sum = crc32.Checksum(data, castagnoli) // of a length that needs no padding
		if dataWrong {
			sum++
		}
		pdu = binary.LittleEndian.AppendUint32(append(pdu, data...), sum)
	}
	if _, err := i.wire.conn.Write(pdu); err != nil {
		i.t.Fatal(err)
	}
}

// The check value of RFC 7143 appendix A.4: 32 bytes of zeroes.
func TestDigestOfTheStandard(t *testing.T) {
	sum := crc32.Checksum(make([]byte, 32), castagnoli)
	if got := appendDigest(nil, sum); !bytes.Equal(got, []byte{0xaa, 0x36, 0x91, 0x8a}) {
		t.Errorf("digest % x", got)
	}
}

func TestWrongHeaderDigestEndsTheConnection(t *testing.T) {
	p := serve(t, Options{})
	i := p.dial(t).login(digests...)
	h := &header{opSCSICommand, flagFinal | flagWrite}
	h.setITT(9)
	h.put32(20, 512)
	h.put32(24, i.cmdSN)
	copy(h[32:], write10(0, 1))
	i.broken(h, pattern(512), true, false)
	i.gone()
	if p.disk.b[1] != 0 {
		t.Error("the command was carried out")
	}
}

// The task fails, but not before all that was asked for has come.
func TestWrongDigestOfDataFailsTheTask(t *testing.T) {
	p := serve(t, Options{})
	i := p.dial(t).login(append(digests, pair{"MaxBurstLength", "1024"}, pair{"MaxOutstandingR2T", "2"})...)
	tag := i.command(flagWrite, 4096, nil, write10(0, 8)...)
	first, _ := i.receive(opR2T)
	second, _ := i.receive(opR2T)
	h := &header{opDataOut, flagFinal}
	h.setITT(tag)
	h.setTTT(first.ttt())
	i.broken(h, pattern(1024), false, true)
	i.rejected(rejectDataDigest)
	i.dataOut(tag, second.ttt(), 0, 1024, true, pattern(1024))
	sense := i.answered(tag, byte(scsi.StatusCheckCondition))
	if sense[2+2] != 0x0b || sense[2+12] != 0x47 || sense[2+13] != 0x05 {
		t.Errorf("sense % x, want ABORTED COMMAND, protocol service CRC error", sense)
	}
	if p.disk.b[1] != 0 {
		t.Error("the write was carried out")
	}
	tag = i.command(0, 0, nil, 0x00)
	i.answered(tag, 0)
}

// A command whose immediate data is damaged has not been received: it may be
// sent again, or given up by aborting it.
func TestWrongDigestOfImmediateDataRejectsTheCommand(t *testing.T) {
	p := serve(t, Options{})
	i := p.dial(t).login(digests...)
	h := &header{opSCSICommand, flagFinal | flagWrite}
	h.setITT(0x99)
	h.put32(20, 512)
	h.put32(24, i.cmdSN)
	copy(h[32:], write10(0, 1))
	i.broken(h, pattern(512), false, true)
	i.rejected(rejectDataDigest)
	i.broken(h, pattern(512), false, false)
	i.answered(0x99, 0)
	i.cmdSN++
	if p.disk.b[1] != pattern(2)[1] {
		t.Error("the write that was sent again is not on the disk")
	}

	h.put32(24, i.cmdSN)
	i.broken(h, pattern(512), false, true)
	i.rejected(rejectDataDigest)
	i.cmdSN++
	abort := &header{0x40 | opTaskRequest, flagFinal | tmfAbortTask}
	abort.setITT(0x7000)
	abort.setTTT(0x99)
	abort.put32(24, i.cmdSN)
	abort.put32(32, i.cmdSN-1) // RefCmdSN
	i.send(abort, nil)
	if r, _ := i.receive(opTaskResponse); r[2] != tmfComplete {
		t.Errorf("abort: %d", r[2])
	}
	tag := i.command(0, 0, nil, 0x00)
	i.answered(tag, 0)
}

func TestWrongDigestOfOtherDataIsRejected(t *testing.T) {
	i := serve(t, Options{}).dial(t).login(digests...)
	for _, opcode := range []byte{opTextRequest, opNopOut} {
		h := &header{0x40 | opcode, flagFinal}
		h.setITT(5)
		h.setTTT(noTag)
		i.broken(h, []byte("SendTargets=\x00\x00\x00\x00"), false, true)
		i.rejected(rejectDataDigest)
	}
}
