package api

import (
	"regexp"

	"github.com/google/uuid"

	"github.com/san-csi/san-csi/pkg/softarray/iscsi"
	"github.com/san-csi/san-csi/pkg/softarray/store"
)

var volumeName = regexp.MustCompile(`^[A-Za-z0-9-]+$`)

func volumeMethods() map[string]method {
	return map[string]method{
		"CreateVolume":  change(createVolume, "name", "accountID", "totalSize"),
		"ModifyVolume":  change(modifyVolume, "volumeID"),
		"ModifyVolumes": change(modifyVolumes, "volumeIDs"),
	}
}

type createParams struct {
	Name       string     `json:"name"`
	AccountID  integer    `json:"accountID"`
	TotalSize  integer    `json:"totalSize"`
	Enable512e boolean    `json:"enable512e"` // false where omitted, as some clients do for false
	Access     string     `json:"access"`
	Attributes attributes `json:"attributes"`
	qosChoice
	volumeOptions
}

func createVolume(c *call, p createParams) (any, error) {
	if err := checkVolumeName(p.Name); err != nil {
		return nil, err
	}
	size, err := volumeSize(int64(p.TotalSize))
	if err != nil {
		return nil, err
	}
	account, err := c.account(int64(p.AccountID))
	if err != nil {
		return nil, err
	}
	if err := c.roomForVolume(account, size); err != nil {
		return nil, err
	}
	cluster, err := c.tx.Cluster()
	if err != nil {
		return nil, err
	}
	v := store.Volume{
		Name: p.Name, AccountID: account.ID, UUID: uuid.NewString(), ConsistencyUUID: uuid.NewString(),
		Created: c.now, Size: size, Access: store.ReadWrite, Enable512e: p.Enable512e.or(false), QoS: cluster.DefaultQoS,
	}
	if err := p.Attributes.apply(&v.Attributes); err != nil {
		return nil, err
	}
	if err := c.choose(&v, p.qosChoice); err != nil {
		return nil, err
	}
	if err := c.applyOptions(&v, p.volumeOptions); err != nil {
		return nil, err
	}
	if err := c.setAccess(&v, p.Access); err != nil {
		return nil, err
	}
	if v, err = c.tx.AddVolume(v); err != nil {
		return nil, err
	}
	w, err := c.toWireVolume(v)
	return result{"volume": w, "volumeID": v.ID, "curve": wireCurve()}, err
}

func checkVolumeName(name string) error {
	if err := within("length of name", int64(len(name)), 1, nameMax); err != nil {
		return err
	}
	if !volumeName.MatchString(name) {
		return failf(invalidParameter, "name %q: only letters, digits and '-' are allowed", name)
	}
	return nil
}

// volumeSize checks a size and rounds it up to what volumes are made of.
func volumeSize(bytes int64) (int64, error) {
	if err := within("totalSize", bytes, sizeMin, sizeMax); err != nil {
		return 0, err
	}
	return (bytes + sizeStep - 1) / sizeStep * sizeStep, nil
}

func (c *call) roomForVolume(a store.Account, size int64) error {
	totals, err := c.tx.Totals()
	if err != nil {
		return err
	}
	if totals.Volumes >= volumesMax {
		return failf(c.config.Dialect.countError(), "Exceeded maximum number of volumes: %d", volumesMax)
	}
	if err := room("volumes per account", a.VolumeCount, volumesPerAccountMax); err != nil {
		return err
	}
	return c.roomForBytes(size)
}

type modifyParams struct {
	VolumeID   integer    `json:"volumeID"`
	VolumeIDs  integers   `json:"volumeIDs"`
	AccountID  integer    `json:"accountID"`
	Access     string     `json:"access"`
	TotalSize  integer    `json:"totalSize"`
	Attributes attributes `json:"attributes"`
	qosChoice
	volumeOptions
}

func modifyVolume(c *call, p modifyParams) (any, error) {
	v, err := c.modify(int64(p.VolumeID), p)
	if err != nil {
		return nil, err
	}
	w, err := c.toWireVolume(v)
	return result{"volume": w, "curve": wireCurve()}, err
}

func modifyVolumes(c *call, p modifyParams) (any, error) {
	if err := within("number of volumeIDs", int64(len(p.VolumeIDs.Values)), 1, volumesPerCallMax); err != nil {
		return nil, err
	}
	var changed []store.Volume
	for _, id := range p.VolumeIDs.Values {
		v, err := c.modify(id, p)
		if err != nil {
			return nil, err
		}
		changed = append(changed, v)
	}
	w, err := c.toWireVolumes(changed)
	return result{"volumes": w, "qos": nil}, err
}

// modify changes what is given of one volume.
func (c *call) modify(id int64, p modifyParams) (store.Volume, error) {
	v, err := c.activeVolume(id)
	if err != nil {
		return v, err
	}
	if err := c.grow(&v, int64(p.TotalSize)); err != nil {
		return v, err
	}
	if err := p.Attributes.apply(&v.Attributes); err != nil {
		return v, err
	}
	if err := c.choose(&v, p.qosChoice); err != nil {
		return v, err
	}
	if err := c.applyOptions(&v, p.volumeOptions); err != nil {
		return v, err
	}
	if err := c.moveTo(&v, int64(p.AccountID)); err != nil {
		return v, err
	}
	if err := c.setAccess(&v, p.Access); err != nil {
		return v, err
	}
	c.after(func(d Data) { d.Refresh(id) })
	return v, c.tx.PutVolume(v)
}

// grow changes the size, 0 = keep. The present size in any rounding is no change.
func (c *call) grow(v *store.Volume, bytes int64) error {
	if bytes == 0 {
		return nil
	}
	if err := within("totalSize", bytes, 1, sizeMax); err != nil {
		return err
	}
	rounded := (bytes + sizeStep - 1) / sizeStep * sizeStep
	if rounded < v.Size {
		return failf(shrinkProhibited, "Lowering a volume size is not allowed.")
	}
	if rounded > v.Size {
		if err := c.roomForBytes(rounded - v.Size); err != nil {
			return err
		}
	}
	v.Size = rounded
	return nil
}

func (c *call) moveTo(v *store.Volume, account int64) error {
	if account == 0 || account == v.AccountID {
		return nil
	}
	a, err := c.account(account)
	if err != nil {
		return err
	}
	if err := room("volumes per account", a.VolumeCount, volumesPerAccountMax); err != nil {
		return err
	}
	v.AccountID = a.ID
	return nil
}

// setAccess changes the access mode; one that initiators may not use ends
// their sessions.
func (c *call) setAccess(v *store.Volume, access string) error {
	if access == "" {
		return nil
	}
	if err := oneOf("access", access, store.ReadWrite, store.ReadOnly, store.Locked, store.ReplicationTarget, store.SnapMirrorTarget); err != nil {
		return err
	}
	v.Access = access
	if v.ID != 0 && access != store.ReadWrite && access != store.ReadOnly {
		c.dropSessions(v.ID)
	}
	return nil
}

// dropSessions ends the sessions of a volume once the call is committed: from
// then on no login is admitted, so that none comes after.
func (c *call) dropSessions(volume int64) {
	c.after(func(d Data) {
		d.Drop(func(s iscsi.Session) bool { return s.VolumeID == volume })
	})
}

func (c *call) volume(id int64) (store.Volume, error) {
	v, err := c.tx.Volumes().Get(id)
	return v, missing(err, volumeDoesNotExist, "VolumeID %d does not exist.", id)
}

// activeVolume is a volume that is not in the recycle bin; one that is there
// can only be restored or purged.
func (c *call) activeVolume(id int64) (store.Volume, error) {
	v, err := c.volume(id)
	if err == nil && !v.Active() {
		return v, failf(volumeDoesNotExist, "VolumeID %d does not exist. It is deleted.", id)
	}
	return v, err
}

// usableVolume is a volume that has its content: active, and no clone whose job
// is under way. The error is one that clients retry, some by its name, some by
// its words.
func (c *call) usableVolume(id int64) (store.Volume, error) {
	v, err := c.activeVolume(id)
	if err == nil && v.Cloning {
		return v, failf(sliceNotRegistered, "VolumeID %d is not in the active state.", id)
	}
	return v, err
}
