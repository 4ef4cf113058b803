package scsi

// testUnitReady has nothing to check: a LUN that exists is ready.
func testUnitReady(_ *LUN, _ *Command, _, _ []byte) Reply { return good(nil) }

// requestSense returns a pending unit attention as its data (SPC-4 §6.39).
func requestSense(_ *LUN, c *Command, _, _ []byte) Reply {
	sense := senseNone
	if c.noLUN {
		sense = senseNoSuchLUN
	} else if ua, ok := c.nexus.takeAttention(); ok {
		sense = ua
	}
	data := sense.Fixed()
	if c.cdb[1]&0x01 != 0 {
		data = sense.descriptor()
	}
	return good(upTo(data, int(c.cdb[4])))
}

// startStop accepts START (SBC-3 §5.25). Several initiators may share the LUN:
// none of them can stop it.
func startStop(_ *LUN, c *Command, _, _ []byte) Reply {
	if c.cdb[4]&0x01 == 0 {
		return Fail(*invalidCDBField(4))
	}
	return good(nil)
}
