package scsi

// Disk is what a LUN keeps its blocks on. Offsets and lengths are bytes, always
// inside Size and multiples of 512. Calls may come from several goroutines.
type Disk interface {
	ReadAt(p []byte, off int64) (int, error)
	WriteAt(p []byte, off int64) (int, error)
	// Unmap frees the range; it reads as zeroes afterwards.
	Unmap(off, n int64) error
	// Sync returns when every write that returned before is on stable storage.
	Sync() error
	// Size may grow while the LUN is in use.
	Size() int64
}
