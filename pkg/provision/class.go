package provision

import (
	"fmt"
	"slices"
	"strings"

	"github.com/san-csi/san-csi/pkg/placement"
	"github.com/san-csi/san-csi/pkg/qos"
	"github.com/san-csi/san-csi/pkg/san"
)

// The class parameters of the controller, beside those of qos.Keys.
const (
	keyArray       = "array"
	keySelector    = "arraySelector"
	keyAccount     = "account"
	keyOnDelete    = "onDelete"
	keyMkfsOptions = "mkfsOptions"
	keyFsck        = "fsck"

	// kubernetesPrefix marks what Kubernetes adds about the claim; it is never
	// a setting of ours.
	kubernetesPrefix = "csi.storage.k8s.io/"
	keyPVCName       = kubernetesPrefix + "pvc/name"
	keyPVCNamespace  = kubernetesPrefix + "pvc/namespace"
	keyPVName        = kubernetesPrefix + "pv/name"
)

// class is what the parameters of a StorageClass ask for.
type class struct {
	qos     qos.Request
	wish    placement.Wish
	account string
	keep    bool // onDelete: keep
	node    map[string]string
	owner   san.Owner
}

// parseClass reads the parameters; an unknown key is an error, since a misspelt
// ceiling would otherwise be no ceiling.
func parseClass(params map[string]string) (class, error) {
	if err := refuseUnknown(params, append(qos.Keys(), keyArray, keySelector, keyAccount, keyOnDelete, keyMkfsOptions, keyFsck)); err != nil {
		return class{}, err
	}
	request, err := qos.Parse(params)
	if err != nil {
		return class{}, err
	}
	c := class{
		qos:     request,
		wish:    placement.Wish{Array: params[keyArray]},
		account: params[keyAccount],
		node:    map[string]string{},
		owner:   owner(params),
	}
	if s, ok := params[keySelector]; ok {
		if c.wish.Selector, err = placement.ParseSelector(s); err != nil {
			return class{}, err
		}
	}
	if c.keep, err = parseOnDelete(params); err != nil {
		return class{}, err
	}
	return c, c.parseNode(params)
}

// parseMutable reads the parameters of a VolumeAttributesClass: QoS alone.
func parseMutable(params map[string]string) (qos.Request, error) {
	if err := refuseUnknown(params, qos.Keys()); err != nil {
		return qos.Request{}, err
	}
	return qos.Parse(params)
}

func refuseUnknown(params map[string]string, known []string) error {
	for key, value := range params {
		if slices.Contains(known, key) || strings.HasPrefix(key, kubernetesPrefix) {
			continue
		}
		bound := "left out: such a class has no parameters"
		if len(known) > 0 {
			slices.Sort(known)
			bound = "one of " + strings.Join(known, ", ")
		}
		return &qos.ParameterError{Key: key, Value: value, Bound: bound}
	}
	return nil
}

func parseOnDelete(params map[string]string) (bool, error) {
	switch v, ok := params[keyOnDelete]; {
	case !ok, v == "purge":
		return false, nil
	case v == "keep":
		return true, nil
	default:
		return false, &qos.ParameterError{Key: keyOnDelete, Value: v, Bound: "purge or keep"}
	}
}

// parseNode takes what only the node needs; it travels in the volume's context.
func (c *class) parseNode(params map[string]string) error {
	if v, ok := params[keyMkfsOptions]; ok {
		if len(v) > 256 {
			return &qos.ParameterError{Key: keyMkfsOptions, Value: v, Bound: "at most 256 bytes"}
		}
		c.node[ContextMkfsOptions] = v
	}
	if v, ok := params[keyFsck]; ok {
		if !slices.Contains([]string{"preen", "off", "repair"}, v) {
			return &qos.ParameterError{Key: keyFsck, Value: v, Bound: "preen, off or repair"}
		}
		c.node[ContextFsck] = v
	}
	return nil
}

func owner(params map[string]string) san.Owner {
	o := san.Owner{PV: params[keyPVName]}
	if name := params[keyPVCName]; name != "" {
		o.PVC = fmt.Sprintf("%s/%s", params[keyPVCNamespace], name)
	}
	return o
}
