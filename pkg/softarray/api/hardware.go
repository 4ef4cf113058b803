package api

import "cmp"

// hardwareMethods tell of the array's one node; it has no drives, networks or
// jobs, and says so by empty lists.
func hardwareMethods() map[string]method {
	return map[string]method{
		"GetClusterHardwareInfo":  query(getHardware),
		"ListActiveNodes":         query(listActiveNodes),
		"ListAllNodes":            query(listAllNodes),
		"ListNodeStats":           query(listNodeStats),
		"ListVirtualNetworks":     query(emptyList("virtualNetworks")),
		"ListDrives":              query(emptyList("drives")),
		"ListVolumeQoSHistograms": query(emptyList("qosHistograms")),
		"ListBulkVolumeJobs":      query(emptyList("bulkVolumeJobs")),
		"ListSyncJobs":            query(emptyList("syncJobs")),
		"GetFeatureStatus":        query(emptyList("features")),
	}
}

func emptyList(member string) func(*call, none) (any, error) {
	return func(*call, none) (any, error) { return result{member: []any{}}, nil }
}

type hardwareParams struct {
	Type string `json:"type"`
}

func getHardware(c *call, p hardwareParams) (any, error) {
	kind := cmp.Or(p.Type, "all")
	if err := oneOf("type", kind, "all", "drives", "nodes"); err != nil {
		return nil, err
	}
	cluster, err := c.tx.Cluster()
	info := result{}
	if kind != "nodes" {
		info["drives"] = result{}
	}
	if kind != "drives" {
		info["nodes"] = map[string]result{"1": {"serial": cluster.NodeUUID}}
	}
	return result{"clusterHardwareInfo": info}, err
}

func (c *call) node() (result, error) {
	cluster, err := c.tx.Cluster()
	host := c.config.Address
	return result{
		"nodeID": nodeID, "name": "san-array-" + cluster.UniqueID, "uuid": cluster.NodeUUID, "softwareVersion": clusterVersion, "role": "Storage",
		"mip": host, "sip": cmp.Or(c.config.NodeAddress, host), "cip": host, "mipi": "Bond1G", "sipi": "Bond10G", "cipi": "Bond10G",
		"platformInfo": result{
			"chassisType": "software", "cpuModel": "", "nodeMemoryGB": 0, "nodeType": "san-array", "platformConfigVersion": "",
		},
		"associatedMasterServiceID": nodeID, "associatedFServiceID": 0, "fibreChannelTargetPortGroup": nil,
		"virtualNetworks": []any{}, "attributes": result{}, "nodeSlot": "", "chassisName": "", "customProtectionDomainName": "",
		"maintenanceMode": "Disabled",
	}, err
}

func listActiveNodes(c *call, _ none) (any, error) {
	n, err := c.node()
	return result{"nodes": []result{n}}, err
}

func listAllNodes(c *call, _ none) (any, error) {
	n, err := c.node()
	return result{"nodes": []result{n}, "pendingNodes": []any{}, "pendingActiveNodes": []any{}}, err
}

func listNodeStats(*call, none) (any, error) {
	return result{"nodeStats": result{"nodes": []any{}}}, nil
}
