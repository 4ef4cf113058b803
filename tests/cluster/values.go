package cluster

import (
	"os"

	"github.com/san-csi/san-csi/tests/lab"
)

// values are the chart's values for the driver with the array beside the
// cluster, and the second one if there is one.
func (c *Cluster) values() (map[string]any, error) {
	first, err := arrayValues("a", "east", c.Lab)
	if err != nil {
		return nil, err
	}
	arrays := []map[string]any{first}
	if c.Second != nil {
		second, err := arrayValues("b", "west", c.Second)
		if err != nil {
			return nil, err
		}
		second["chap"] = "node-mutual"
		arrays = append(arrays, second)
	}
	values := placement()
	values["arrays"] = arrays
	numbers := map[string]string{"minIOPS": "50", "maxIOPS": "100", "burstIOPS": "100"}
	values["storageClasses"] = []map[string]any{
		{"name": Class, "isDefault": true, "parameters": numbers},
		{"name": NowClass, "volumeBindingMode": "Immediate", "parameters": numbers},
	}
	values["volumeAttributesClasses"] = []map[string]any{
		{"name": FastClass, "parameters": map[string]string{"minIOPS": "60", "maxIOPS": "200", "burstIOPS": "200"}},
	}
	values["snapshots"] = map[string]any{"enabled": true, "groups": true}
	values["volumeSnapshotClasses"] = []map[string]any{{"name": SnapshotClass}}
	return values, nil
}

func arrayValues(name, site string, l *lab.Lab) (map[string]any, error) {
	ca, err := os.ReadFile(l.Array.CAFile())
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"name": name, "driver": "element", "endpoint": "https://" + l.Array.APIAddress() + "/json-rpc/12.5",
		"username": l.Username, "password": l.Password, "account": "k8s", "caCert": string(ca),
		"labels": map[string]string{"site": site},
	}, nil
}

// placement are the values of any installation here: the images that the nodes
// have, controllers on the host, node plugins on the workers.
func placement() map[string]any {
	values := local("san-csi")
	values["logLevel"] = 4
	values["controller"] = onHost(map[string]any{"leaseDurationSeconds": 5})
	values["node"] = map[string]any{
		"kubeletPath":  KubeletDir,
		"nodeSelector": map[string]any{workerLabel: "true"},
		// All at once: there are two, and nobody waits for the other.
		"updateStrategy": map[string]any{"type": "RollingUpdate", "rollingUpdate": map[string]any{"maxUnavailable": "100%"}},
	}
	probe := local(standIn)
	probe["additionalArgs"] = []string{probeFlag}
	values["sidecars"] = map[string]any{
		"provisioner": local("csi-provisioner"), "attacher": local("csi-attacher"), "resizer": local("csi-resizer"),
		"snapshotter":         local("csi-snapshotter"),
		"nodeDriverRegistrar": local(standIn), "livenessProbe": probe,
	}
	return values
}

// local is the image of that name, as the nodes have it.
func local(name string) map[string]any {
	return map[string]any{"image": map[string]any{"registry": "local.test", "repository": name, "tag": imageTag, "pullPolicy": "Never"}}
}

// onHost adds what puts pods on the host.
func onHost(values map[string]any) map[string]any {
	values["nodeSelector"] = map[string]any{"kubernetes.io/hostname": hostNode}
	values["tolerations"] = []map[string]any{{"key": hostTaint, "operator": "Exists"}}
	return values
}
