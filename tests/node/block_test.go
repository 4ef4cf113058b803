//go:build guest

package node

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
)

// testBlock walks a raw volume through its life.
func testBlock(t *testing.T, b *bench) {
	v := b.volume(t, "pvc-raw", raw(), nil)
	must(t, v.stage, v.stage, v.publish, v.publish)
	sum := b.sh(t, fmt.Sprintf(`dd if=/dev/urandom of=/tmp/block bs=1M count=4 2>/dev/null
dd if=/tmp/block of=%s bs=1M seek=1020 oflag=direct 2>/dev/null
sha256sum < /tmp/block`, v.target))
	v.checkEnd(t, sum)

	reader := v.pod("reader")
	readOnly := func(ctx context.Context) error { return v.publishAt(ctx, reader, true) }
	must(t, readOnly)
	if options := b.sh(t, "findmnt -n -o OPTIONS "+reader); !strings.HasPrefix(options, "ro,") {
		t.Errorf("read-only target is mounted with %q", options)
	}
	refused(t, func(ctx context.Context) error { return v.publishAt(ctx, reader, false) }, codes.AlreadyExists, "read-only true", "false")
	refused(t, v.unstage, codes.FailedPrecondition, "still mounted at", v.name)
	must(t, func(ctx context.Context) error { return v.unpublishAt(ctx, reader) })

	must(t, func(ctx context.Context) error { return v.grow(ctx, 2*gib) })
	if size := strings.TrimSpace(b.sh(t, "blockdev --getsize64 "+v.target)); size != fmt.Sprint(2*gib) {
		t.Errorf("the device has %s bytes, want %d", size, 2*gib)
	}
	if total := v.usage(t)[csi.VolumeUsage_BYTES].GetTotal(); total != 2*gib {
		t.Errorf("stats tell %d bytes, want %d", total, 2*gib)
	}
	must(t, v.unpublish, v.unstage)
	checkNodeClean(t, b)
	must(t, v.stage, v.publish)
	v.checkEnd(t, sum)
}

// checkEnd reads the last 4 MiB of the first GiB, past the page cache.
func (v *volume) checkEnd(t *testing.T, want string) {
	t.Helper()
	if got := v.b.sh(t, fmt.Sprintf("dd if=%s bs=1M skip=1020 count=4 iflag=direct 2>/dev/null | sha256sum", v.target)); got != want {
		t.Errorf("reads as %s, was written as %s", got, want)
	}
}
