package scsi

// access is what a command needs that a reservation may deny (SPC-4 §5.12.1
// and SBC-3 §4.18, the tables of commands allowed): nothing, as INQUIRY; what
// RESERVE of another denies alone; or to read or write as well, which a
// persistent reservation denies.
type access uint32

const (
	touching access = 1 << iota
	reading
	writing
)
