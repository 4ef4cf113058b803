package scsi

// readDefects10 and readDefects12 are READ DEFECT DATA (SBC-3 §5.14, §5.15):
// there are no defects that initiators could do something about. The lists
// asked for are empty, in the format asked for.
func readDefects10(_ *LUN, c *Command, _, _ []byte) Reply {
	return good(upTo([]byte{0, c.cdb[2], 0, 0}, c.be16(7)))
}

func readDefects12(_ *LUN, c *Command, _, _ []byte) Reply {
	return good(upTo([]byte{0, c.cdb[1], 0, 0, 0, 0, 0, 0}, c.be32(6)))
}
