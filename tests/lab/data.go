package lab

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// grain is the part of a volume that is looked at as a whole, bytes.
const grain = 64 << 10

// VolumeFile is where the array keeps a volume's data, on the host's side: in a
// layer of the same number, as long as no volume of the array had a snapshot.
func (l *Lab) VolumeFile(id int64) string {
	return filepath.Join(l.data, "layers", strconv.FormatInt(id, 10))
}

// Fingerprint is a checksum of what a volume holds, taken past the iSCSI target
// from the array's own file: its length, and every part that is not zero.
func (l *Lab) Fingerprint(id int64) (string, error) {
	f, err := os.Open(l.VolumeFile(id))
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	sum.Write(binary.BigEndian.AppendUint64(nil, uint64(info.Size())))
	buffer, zeroes := make([]byte, grain), make([]byte, grain)
	for at := int64(0); ; at += grain {
		// What was never written is passed over: volumes are sparse.
		data, err := unix.Seek(int(f.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			return hex.EncodeToString(sum.Sum(nil)), nil
		}
		if err != nil {
			return "", &os.PathError{Op: "seek", Path: f.Name(), Err: err}
		}
		at = data &^ (grain - 1)
		n, err := f.ReadAt(buffer, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		if !bytes.Equal(buffer[:n], zeroes[:n]) {
			sum.Write(binary.BigEndian.AppendUint64(nil, uint64(at)))
			sum.Write(buffer[:n])
		}
	}
}
