package stage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/san-csi/san-csi/pkg/filesystem"
)

func TestNewNeedsItsRooms(t *testing.T) {
	w := newWorld(t)
	for _, o := range []Options{{}, {Iscsi: fakeIscsi{w}, Daemons: fakeIscsi{w}, Disks: fakeDisks{w}, Mounts: fakeMounts{w}}} {
		if _, err := New(o); !errors.Is(err, ErrInvalid) {
			t.Errorf("got %v, want ErrInvalid", err)
		}
	}
}

func TestStaleMountGivesWay(t *testing.T) {
	w := newWorld(t)
	w.mounts = []filesystem.Mount{{Path: staging, Device: "8:32", Type: "ext4", Root: "/"}}
	w.must(w.stage)
	w.wantStaged()
}

// A mount that turned read-only by errors is renewed, but not under a pod.
func TestDegradedMount(t *testing.T) {
	w := newWorld(t)
	w.must(w.stage)
	w.mounts[0].ReadOnly = true
	w.must(w.stage)
	if w.mounts[0].ReadOnly || !slices.Equal(w.checked, []filesystem.Fsck{filesystem.Preen}) {
		t.Errorf("mounts %v, checks %v: want a writable mount after one check", w.mounts, w.checked)
	}
	w.must(w.publish)
	w.mounts[0].ReadOnly = true
	if err := w.stage(w.process()); !errors.Is(err, ErrBusy) || len(w.mounts) != 2 {
		t.Errorf("got %v with mounts %v, want ErrBusy with both", err, w.mounts)
	}
}

func TestSessionThatNobodyKnows(t *testing.T) {
	w := newWorld(t)
	w.must(w.stage, w.publish)
	w.must(func(s *Stager) error { return s.records.remove(volume) })
	if err := w.stage(w.process()); !errors.Is(err, ErrBusy) || w.offline {
		t.Fatalf("got %v, offline %t: want ErrBusy, since a pod uses it", err, w.offline)
	}
	w.must(w.unpublish, w.stage)
	w.wantStagedOnly()
}

func TestUnstageWithoutRecord(t *testing.T) {
	for _, block := range []bool{false, true} {
		t.Run(fmt.Sprintf("block %t", block), func(t *testing.T) {
			w, req := newWorld(t), request()
			req.Block = block
			w.must(func(s *Stager) error { return s.Stage(t.Context(), req) })
			w.must(func(s *Stager) error { return s.records.remove(volume) }, w.unstage)
			w.wantNothing()
			w.must(w.unstage) // nothing there is success
		})
	}
}

func TestUnstageIsRefusedWhileInUse(t *testing.T) {
	w := newWorld(t)
	w.must(w.stage, w.publish)
	if err := w.unstage(w.process()); !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), pod) {
		t.Errorf("got %v, want ErrBusy that names %s", err, pod)
	}
	w.wantPublished()
}

// stuckIscsi says that it detached, and did not.
type stuckIscsi struct{ fakeIscsi }

func (stuckIscsi) Detach(context.Context, string, string) error { return nil }

func TestUnstageLooksAtWhatIsLeft(t *testing.T) {
	w := newWorld(t)
	w.must(w.stage)
	s := w.process()
	s.iscsi = stuckIscsi{fakeIscsi{w}}
	if err := w.unstage(s); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want ErrBusy over a live mapping", err)
	}
	if r, err := s.records.load(volume); r == nil || err != nil {
		t.Errorf("record %v, %v: it must stay", r, err)
	}
}

func TestPublish(t *testing.T) {
	other := func(r *PublishRequest) { r.TargetPath = pod + "2" }
	cases := []struct {
		name   string
		before []func(*world, *Stager) error
		alter  func(*PublishRequest)
		want   error
		mounts int
	}{
		{"not staged", nil, func(*PublishRequest) {}, ErrNotFound, 0},
		{"no target path", nil, func(r *PublishRequest) { r.TargetPath = "" }, ErrInvalid, 0},
		{"first", []func(*world, *Stager) error{(*world).stage}, func(*PublishRequest) {}, nil, 2},
		{"other staging path", []func(*world, *Stager) error{(*world).stage}, func(r *PublishRequest) { r.StagingPath = "/x" }, ErrConflict, 1},
		{"as block", []func(*world, *Stager) error{(*world).stage}, func(r *PublishRequest) { r.Block = true }, ErrConflict, 1},
		{"again", []func(*world, *Stager) error{(*world).stage, (*world).publish}, func(*PublishRequest) {}, nil, 2},
		{"again, single writer", []func(*world, *Stager) error{(*world).stage, (*world).publish}, func(r *PublishRequest) { r.SingleWriter = true }, nil, 2},
		{"again, writable", []func(*world, *Stager) error{(*world).stage, (*world).publish}, func(r *PublishRequest) { r.ReadOnly = false }, ErrConflict, 2},
		{"another SELinux label", []func(*world, *Stager) error{(*world).stage}, func(r *PublishRequest) {
			r.MountFlags = []string{`context="system_u:object_r:container_file_t:s0:c1,c2"`}
		}, ErrConflict, 1},
		{"second path", []func(*world, *Stager) error{(*world).stage, (*world).publish}, other, nil, 3},
		{"second path, single writer", []func(*world, *Stager) error{(*world).stage, (*world).publish}, func(r *PublishRequest) { other(r); r.SingleWriter = true }, ErrBusy, 2},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w, req := newWorld(t), publishRequest()
			for _, flow := range c.before {
				w.must(func(s *Stager) error { return flow(w, s) })
			}
			c.alter(&req)
			if err := w.process().Publish(t.Context(), req); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if len(w.mounts) != c.mounts {
				t.Errorf("mounts %v, want %d", w.mounts, c.mounts)
			}
		})
	}
}

func TestBlockVolume(t *testing.T) {
	w, req, pub := newWorld(t), request(), publishRequest()
	req.Block, pub.Block = true, true
	w.must(func(s *Stager) error { return s.Stage(t.Context(), req) })
	w.must(func(s *Stager) error { return s.Stage(t.Context(), req) })
	if len(w.mounts) != 1 || len(w.mountsAt(staging+"/device")) != 1 || w.formatted != 0 || !w.attached {
		t.Fatalf("staged with mounts %v, %d mkfs, attached %t", w.mounts, w.formatted, w.attached)
	}
	w.must(func(s *Stager) error { return s.Publish(t.Context(), pub) })
	w.must(func(s *Stager) error { return s.Publish(t.Context(), pub) })
	if at := w.mountsAt(pod); len(at) != 1 || at[0].Root != "/sdb" || !at[0].ReadOnly {
		t.Errorf("published as %v, want the device once, read-only", at)
	}
	stats, err := w.process().Stats(t.Context(), volume, pod)
	if want := (Stats{Block: true, TotalBytes: gib}); err != nil || stats != want {
		t.Errorf("stats %+v, %v, want %+v", stats, err, want)
	}
	w.must(w.unpublish, w.unstage)
	w.wantNothing()
}

func TestExpandAndStats(t *testing.T) {
	w := newWorld(t)
	w.must(w.stage, w.publish)
	s := w.process()
	w.size = 2 * gib
	size, err := s.Expand(t.Context(), ExpandRequest{VolumeID: volume, VolumePath: pod, RequiredBytes: 2 * gib})
	if err != nil || size != 2*gib || w.grown != 2*gib {
		t.Errorf("size %d, grown to %d, %v", size, w.grown, err)
	}
	if r, _ := s.records.load(volume); r.Target.SizeBytes != 2*gib {
		t.Errorf("recorded size %d", r.Target.SizeBytes)
	}
	if _, err := s.Expand(t.Context(), ExpandRequest{VolumeID: volume, VolumePath: pod, RequiredBytes: 3 * gib}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("size that does not come: %v, want ErrUnavailable", err)
	}
	stats, err := s.Stats(t.Context(), volume, staging)
	want := Stats{TotalBytes: 2 * gib, UsedBytes: 1, AvailableBytes: 2*gib - 1, TotalInodes: 9, UsedInodes: 2, AvailableInodes: 7}
	if err != nil || stats != want {
		t.Errorf("stats %+v, %v, want %+v", stats, err, want)
	}
	for _, place := range [][2]string{{"other", pod}, {volume, "/nowhere"}} {
		if _, err := s.Stats(t.Context(), place[0], place[1]); !errors.Is(err, ErrNotFound) {
			t.Errorf("stats of %v: %v, want ErrNotFound", place, err)
		}
		if _, err := s.Expand(t.Context(), ExpandRequest{VolumeID: place[0], VolumePath: place[1]}); !errors.Is(err, ErrNotFound) {
			t.Errorf("expand of %v: %v, want ErrNotFound", place, err)
		}
	}
}

func TestRecordFiles(t *testing.T) {
	dir := t.TempDir()
	s, err := openRecords(dir)
	if err != nil {
		t.Fatal(err)
	}
	r := newRecord(request())
	r.VolumeID = "../../etc/passwd"
	r.Published[pod] = publication{ReadOnly: true}
	if err := s.save(r); err != nil {
		t.Fatal(err)
	}
	// A save that was cut off leaves half a file beside the record.
	if err := os.WriteFile(s.path(r.VolumeID)+".new", []byte(`{"vol`), recordMode); err != nil {
		t.Fatal(err)
	}
	got, err := s.load(r.VolumeID)
	if err != nil || got.differs(request()) != "" || !got.Published[pod].ReadOnly || got.Epoch != 4 {
		t.Errorf("loaded %+v, %v", got, err)
	}
	if err := s.remove(r.VolumeID); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left %v", left)
	}
	if got, err := s.load(r.VolumeID); got != nil || err != nil {
		t.Errorf("loaded %+v, %v after removal", got, err)
	}
	if err := os.WriteFile(s.path(volume), []byte(`{"vol`), recordMode); err != nil {
		t.Fatal(err)
	}
	if _, err := s.load(volume); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("damaged record: %v", err)
	}
}
