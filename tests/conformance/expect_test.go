//go:build conformance

package conformance

import "maps"

// allTests is how many tests -t ALL has, and atLeast how many pass at least.
const (
	allTests = 230
	atLeast  = 190
)

// skips are the tests that a disk on a SAN does not take part in.
func skips(more map[string]string) map[string]string {
	list := map[string]string{
		"PreventAllow.*":         "the medium is not removable",
		"StartStopUnit.Simple":   "the medium is not removable",
		"ReadOnly.ReadOnlySBC":   "the volume is writable; there is a run of its own",
		"Sanitize.*":             "needs -S; SANITIZE is not offered, the array purges volumes",
		"WriteAtomic16.*":        "WRITE ATOMIC (16) is of SBC-4; none of it is promised",
		"WriteSame10.ZeroBlocks": "WSNZ = 1: a length of 0 is refused, as the kernel's target does",
		"WriteSame16.ZeroBlocks": "WSNZ = 1: a length of 0 is refused, as the kernel's target does",
	}
	maps.Copy(list, more)
	return list
}

// onePerPhysical are the tests that need several logical blocks in a physical one.
func onePerPhysical() map[string]string {
	const reason = "a physical block is one logical block"
	return map[string]string{
		"CompareAndWrite.InvalidDataOutSize": reason,
		"WriteSame10.UnmapUnaligned":         reason,
		"WriteSame10.InvalidDataOutSize":     reason,
		"WriteSame16.UnmapUnaligned":         reason,
		"WriteSame16.InvalidDataOutSize":     reason,
	}
}

// unmapSingle asks for the status of the block at i+1 and wants a descriptor
// that begins at i + blocks per physical block: SBC-3 §5.4.2.3 wants the LBA
// that was asked for. With 4096-byte logical blocks both are the same.
func unmapSingle() map[string]string {
	return map[string]string{"GetLBAStatus.UnmapSingle": "lba offset in first descriptor does not"}
}
