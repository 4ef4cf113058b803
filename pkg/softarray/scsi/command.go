package scsi

import "encoding/binary"

// Command is one CDB at a nexus. Prepare fills it and Run carries it out; in
// between the transport gathers DataOut bytes.
type Command struct {
	// DataOut is how many bytes the command takes from the initiator.
	DataOut int
	// DataIn is the length of the buffer that Run needs for blocks read.
	DataIn int
	// Media is how many bytes count against the volume's ceiling, 0 for a
	// command that does not touch the medium.
	Media int
	// Offered is how much data the initiator would send: the transport sets it
	// where it knows, before Run.
	Offered int
	// Waits says that Run may wait for stable storage or for long work.
	Waits bool

	nexus   *Nexus
	op      *operation
	cdb     [16]byte
	lba     uint64
	blocks  uint64
	failure *Sense
	barred  bool // by a reservation
	copy    *copyList
	noLUN   bool
}

// Reply is how a command ended. Data is what it returns, at most the
// allocation length; it may be (a part of) the buffer given to Run.
type Reply struct {
	Status Status
	Sense  []byte
	Data   []byte
}

func good(data []byte) Reply { return Reply{Data: data} }

// Fail is a reply with CHECK CONDITION and s.
func Fail(s Sense) Reply { return Reply{Status: StatusCheckCondition, Sense: s.Fixed()} }

func refuse(s Sense) *Reply { r := Fail(s); return &r }

func conflict() *Reply { return &Reply{Status: StatusReservationConflict} }

// Prepare reads a CDB for the LUN field lun (SAM-5 §4.6, 8 bytes): finds the
// operation, checks the CDB, reports a pending unit attention and holds the
// command to reservations. Commands that are refused take no data and fail in
// Run. Prepare is called in the order in which commands are delivered.
func (n *Nexus) Prepare(c *Command, lun uint64, cdb [16]byte) {
	*c = Command{nexus: n, cdb: cdb, noLUN: lun != 0}
	c.failure = c.prepare()
	if c.failure != nil || c.barred {
		c.DataOut, c.DataIn, c.Media, c.Waits = 0, 0, 0, false
	}
}

func (c *Command) prepare() *Sense {
	op, err := c.nexus.lun.commands.lookup(c.cdb)
	if c.noLUN && (op == nil || !op.anyLUN) {
		return &senseNoSuchLUN
	}
	if !c.noLUN && (op == nil || !op.anyLUN) {
		if ua, ok := c.nexus.takeAttention(); ok {
			failure := ua // on the heap in this case alone
			return &failure
		}
	}
	if err != nil {
		return err
	}
	c.op = op
	if at := op.strayBit(c.cdb); at >= 0 {
		return invalidCDBField(at)
	}
	if c.nexus.barred.Load()&uint32(op.access) != 0 {
		c.barred = true
		return nil
	}
	if op.writes {
		if err := c.nexus.lun.writeProtected(); err != nil {
			return err
		}
	}
	if op.prepare == nil {
		return nil
	}
	return op.prepare(c.nexus.lun, c)
}

// Received tells the command its data, between Prepare and Run, where what it
// counts for (Media) depends on that.
func (c *Command) Received(out []byte) {
	if c.op != nil && c.op.receive != nil && c.failure == nil && !c.barred {
		c.op.receive(c.nexus.lun, c, out)
	}
}

// Run carries the command out. out is the data from the initiator, which may
// be shorter than DataOut where it offered less; in has at least DataIn bytes.
func (c *Command) Run(in, out []byte) Reply {
	if c.failure != nil {
		return Fail(*c.failure)
	}
	if c.barred {
		return *conflict()
	}
	return c.op.run(c.nexus.lun, c, in, out)
}

func (c *Command) be16(at int) int { return int(binary.BigEndian.Uint16(c.cdb[at:])) }
func (c *Command) be32(at int) int { return int(binary.BigEndian.Uint32(c.cdb[at:])) }

// extent reads LBA and length from the CDB by its group (SPC-4 §4.2.5.1).
func (c *Command) extent() {
	b := c.cdb
	switch b[0] >> 5 {
	case 0:
		c.lba = uint64(b[1]&0x1f)<<16 | uint64(binary.BigEndian.Uint16(b[2:]))
		c.blocks = uint64(b[4])
		if c.blocks == 0 {
			c.blocks = 256
		}
	case 1, 2:
		c.lba, c.blocks = uint64(c.be32(2)), uint64(c.be16(7))
	case 5:
		c.lba, c.blocks = uint64(c.be32(2)), uint64(c.be32(6))
	default:
		c.lba, c.blocks = binary.BigEndian.Uint64(b[2:]), uint64(c.be32(10))
	}
}

// lengthField is where extent found the length.
func (c *Command) lengthField() int {
	switch c.cdb[0] >> 5 {
	case 0:
		return 4
	case 1, 2:
		return 7
	case 5:
		return 6
	default:
		return 10
	}
}

// checkExtent reads the extent and holds it to the LUN and to MaxTransfer.
func (c *Command) checkExtent(l *LUN) *Sense {
	c.extent()
	if c.blocks > MaxTransfer/uint64(l.id.BlockSize) {
		return invalidCDBField(c.lengthField())
	}
	return l.inRange(c.lba, c.blocks)
}

func (l *LUN) inRange(lba, n uint64) *Sense {
	if size := l.blocks(); lba > size || n > size-lba {
		return &senseOutOfRange
	}
	return nil
}

// upTo cuts data to the allocation length (SPC-4 §4.2.5.6).
func upTo(data []byte, allocation int) []byte { return data[:min(len(data), allocation)] }
